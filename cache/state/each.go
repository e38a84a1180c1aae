package state

import (
	"database/sql"
	"errors"
)

// pageRecords and pageBytes bound what Each reads ahead.
const (
	pageRecords = 256
	pageBytes   = 1 << 20
)

// Each calls fn for the records of that kind whose id starts with the prefix, in
// order of their ids (as bytes). decode reads the body as Get does. Damaged
// records are left out and listed by DB.Damaged. An error of fn ends it and is
// returned.
//
// fn may read and write; whether it then sees records that it has itself added
// or changed behind the present one is not defined, what it deleted it may still
// see.
func (tx *Tx) Each(kind, idPrefix string, fn func(id string, decode func(any) error) error) error {
	from := idPrefix
	for {
		if tx.over {
			return ErrClosed
		}
		page, more, err := tx.db.page(kind, idPrefix, from)
		if err != nil {
			return tx.db.note(tx.db.conn.explain("scan", err))
		}
		for _, record := range page {
			if !record.good(kind) {
				_ = tx.db.meet(kind, record) // noted; the others are good
				continue
			}
			err := fn(record.id, func(body any) error { return decode(Key{kind, record.id}, record.body, body) })
			if err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		from = page[len(page)-1].id + "\x00" // the next possible id
	}
}

// page reads some records from an id on; more says that there may be others
// behind them. It reads before any callback runs, so that no statement is open
// while a callback uses the same one.
func (db *DB) page(kind, prefix, from string) (page []stored, more bool, err error) {
	var rows *sql.Rows
	if end, bounded := after(prefix); bounded {
		rows, err = db.conn.scan.QueryContext(ctx(), kind, []byte(from), end)
	} else {
		rows, err = db.conn.scanOpen.QueryContext(ctx(), kind, []byte(from))
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	size := 0
	for rows.Next() {
		var record stored
		if err := rows.Scan(&record.id, &record.body, &record.crc); err != nil {
			return nil, false, err
		}
		page = append(page, record)
		size += len(record.body)
		if len(page) == pageRecords || size >= pageBytes {
			return page, true, nil
		}
	}
	return page, false, rows.Err()
}
