package judge

import (
	"errors"
	"io"

	"github.com/ragasfs/ragasfs/backends/table"
)

// sample is the number of records that tell a dialect.
const sample = 100

// dialectOf returns the dialect of a content by its first records and its last
// byte, so that it costs the same for a table of any size.
func dialectOf(source table.Source) (table.Dialect, error) {
	reader := table.NewReader(source, 0, table.Dialect{})
	for range sample {
		_, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return reader.Dialect(), nil
		}
		if err != nil {
			return table.Dialect{}, err
		}
	}
	dialect := reader.Dialect()
	var last [1]byte
	if _, err := source.ReadAt(last[:], source.Size()-1); err != nil && !errors.Is(err, io.EOF) {
		return table.Dialect{}, err
	}
	dialect.FinalEOL = last[0] == '\n' || last[0] == '\r' && dialect.EOL == "\r"
	return dialect, nil
}
