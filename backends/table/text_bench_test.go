package table

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// benchmarkTexts are tables of about 8 MB of three kinds.
func benchmarkTexts() map[string]string {
	var ordinary, quoted, numbers strings.Builder
	ordinary.WriteString("_row_id,question,answer,score\r\n")
	quoted.WriteString("\"_row_id\",\"question\",\"answer\",\"score\"\n")
	numbers.WriteString("a,b,c,d,e,f,g,h\n")
	for i := 0; ordinary.Len() < 8<<20; i++ {
		answer := "It is the capital of the country and has been for a long time"
		if i%5 == 0 {
			answer = `"Well, it ""depends"", as so often"`
		}
		fmt.Fprintf(&ordinary, "row-%08d,What is the capital of country %d?,%s,0.%d\r\n", i, i%200, answer, i%1000)
		fmt.Fprintf(&quoted, "\"row-%08d\",\"What is the capital of country %d?\",\"It is, \"\"so\"\" to say, a city\",\"0.%d\"\n", i, i%200, i%1000)
		fmt.Fprintf(&numbers, "%d,%d,%d,%d,%d,%d,%d,%d\n", i, i+1, i%7, i*i, 3*i, i%1000, i/2, 5)
	}
	return map[string]string{"ordinary": ordinary.String(), "quoted": quoted.String(), "numbers": numbers.String()}
}

func BenchmarkRead(b *testing.B) {
	for kind, text := range benchmarkTexts() {
		for way, read := range waysToRead() {
			b.Run(way+"/"+kind, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					read(b, text)
				}
			})
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for kind, text := range benchmarkTexts() {
		p := parse(b, text, blockSize)
		for _, quoting := range []Quoting{QuoteMinimal, QuoteAll, QuoteSpreadsheet} {
			b.Run(fmt.Sprintf("%s/quoting %d", kind, quoting), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					writer := NewWriter(io.Discard, Dialect{EOL: "\n", FinalEOL: true, Quoting: quoting})
					for _, row := range p.rows {
						if err := writer.Write(row); err != nil {
							b.Fatal(err)
						}
					}
					if err := writer.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(kind+"/raw", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				writer := NewWriter(io.Discard, p.dialect)
				if err := writer.CopyRaw(textSource(text), 0, int64(len(text))); err != nil {
					b.Fatal(err)
				}
				if err := writer.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// waysToRead are all functions that go through a whole text.
func waysToRead() map[string]func(testing.TB, string) {
	return map[string]func(testing.TB, string){
		"Reader": drainReader,
		"Spans":  drainSpans,
		"Check": func(t testing.TB, text string) {
			if _, err := Check(textSource(text)); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func drainReader(t testing.TB, text string) {
	reader := NewReader(textSource(text), 0, Dialect{})
	for {
		_, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func drainSpans(t testing.TB, text string) {
	spans := NewSpans(textSource(text), 0, int64(len(text)), Dialect{})
	for {
		_, err := spans.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
