package judge

func judgeInput(Input) (*Verdict, error) { panic("unwritten") }
func hashCells([]string) uint64          { panic("unwritten") }
