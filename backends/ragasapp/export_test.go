package ragasapp

import "time"

// AskForColumnsAfter sets how long columns are taken to be what they were.
func (b *Backend) AskForColumnsAfter(d time.Duration) { b.columnsLast = d }
