package table

import "bytes"

// cutCell cuts the first cell, as it stands, off the text of a record (without
// its line ending). more is false for the last cell; otherwise rest is what
// stands behind the comma.
//
// As in Python, quotes open a cell only at its start; whatever stands between
// the closing quote and the next comma belongs to the cell.
func cutCell(text []byte) (raw, rest []byte, more bool) {
	from := 0
	if len(text) > 0 && text[0] == '"' {
		from = closingQuote(text)
	}
	i := bytes.IndexByte(text[from:], ',')
	if i < 0 {
		return text, nil, false
	}
	return text[:from+i], text[from+i+1:], true
}

// closingQuote returns the index of the quote that closes the cell at the start
// of text, or len(text) if none does.
func closingQuote(text []byte) int {
	for i := 1; i < len(text); {
		j := bytes.IndexByte(text[i:], '"')
		if j < 0 {
			break
		}
		i += j
		if i+1 == len(text) || text[i+1] != '"' {
			return i
		}
		i += 2
	}
	return len(text)
}

// unquote returns the content of a raw cell. It shares memory with raw and, if
// there are doubled quotes, moves bytes within it.
func unquote(raw []byte) []byte {
	if len(raw) == 0 || raw[0] != '"' {
		return raw
	}
	content := raw[1:]
	i := bytes.IndexByte(content, '"')
	switch i {
	case len(content) - 1: // also -1: an empty cell that is never closed
		return content[:max(i, 0)]
	case -1:
		return content
	}
	kept := i
	for i < len(content) {
		// content[i] is a quote within the quoted part.
		if i+1 == len(content) || content[i+1] != '"' {
			return content[:kept+copy(content[kept:], content[i+1:])]
		}
		content[kept] = '"'
		kept++
		i += 2
		next := bytes.IndexByte(content[i:], '"')
		if next < 0 {
			next = len(content) - i
		}
		kept += copy(content[kept:], content[i:i+next])
		i += next
	}
	return content[:kept]
}

// splitPlain appends the cells of a record without any quote.
func splitPlain(cells [][]byte, text []byte) [][]byte {
	for {
		i := bytes.IndexByte(text, ',')
		if i < 0 {
			return append(cells, text)
		}
		cells = append(cells, text[:i:i])
		text = text[i+1:]
	}
}

// splitQuoted appends the cells of a record with quotes. It moves bytes in text.
func splitQuoted(cells [][]byte, text []byte) [][]byte {
	for {
		if len(text) > 1 && text[0] == '"' { // most often the next quote closes
			i := 1 + bytes.IndexByte(text[1:], '"')
			if i > 0 && i+1 < len(text) && text[i+1] == ',' {
				cells = append(cells, text[1:i:i])
				text = text[i+2:]
				continue
			}
		}
		raw, rest, more := cutCell(text)
		cells = append(cells, unquote(raw))
		if !more {
			return cells
		}
		text = rest
	}
}
