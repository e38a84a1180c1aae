package cache

import (
	"errors"
	"slices"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// recover reads the state into memory and repairs what an unclean end left.
// Where facts and bytes disagree the bytes are kept.
func (c *Cache) recover(report state.Report) error {
	for _, q := range report.Quarantined {
		c.log.Error("damaged state was put aside", "path", q, "remedy", "ragasfs status shows what is held")
	}
	if err := c.readRecords(); err != nil {
		return err
	}
	if err := c.know.load(); err != nil {
		return err
	}
	c.backAll()
	lost := report.Damaged || report.Incomplete
	if err := c.rebuild(lost || damagedKind(report, kindTable)); err != nil {
		return err
	}
	for _, t := range c.allTables() {
		if err := c.recoverTable(t, report); err != nil {
			return err
		}
	}
	if !lost {
		return nil
	}
	return c.db.Recovered()
}

func damagedKind(report state.Report, kind string) bool {
	return slices.ContainsFunc(report.Records, func(k state.Key) bool { return k.Kind == kind })
}

// readRecords reads projects, tables and what belongs to them.
func (c *Cache) readRecords() error {
	return c.db.View(func(tx *state.Tx) error {
		if err := tx.Each(kindProject, "", func(_ string, read func(any) error) error {
			var rec projectRecord
			if err := read(&rec); err != nil {
				return err
			}
			c.projects[rec.Name] = newProject(rec)
			return nil
		}); err != nil {
			return err
		}
		if err := tx.Each(kindTable, "", func(_ string, read func(any) error) error {
			var rec record
			if err := read(&rec); err != nil {
				return err
			}
			c.addRecovered(rec)
			return nil
		}); err != nil {
			return err
		}
		return c.readDetails(tx)
	})
}

// backAll makes sure that every project has its directory behind it.
func (c *Cache) backAll() {
	c.names.Lock()
	defer c.names.Unlock()
	for _, p := range c.projects {
		if !p.rec.Removed {
			c.backLocked(p)
		}
	}
}

// addRecovered binds a table that is known from the state.
func (c *Cache) addRecovered(rec record) *Table {
	t := c.newTable(rec)
	p := c.projects[rec.Project]
	if p == nil {
		p = newProject(projectRecord{Name: rec.Project, InStore: rec.InStore,
			Ref: backends.Ref{Project: rec.Ref.Project, ProjectID: rec.Ref.ProjectID}})
		c.projects[rec.Project] = p
	}
	p.tables[rec.Kind][rec.Name] = t
	c.tables[rec.ID] = t
	c.inoTaken[rec.Ino] = true
	return t
}

// readDetails reads intents, conflicts and parked rows.
func (c *Cache) readDetails(tx *state.Tx) error {
	err := tx.Each(kindIntent, "", func(id string, read func(any) error) error {
		var in intent
		if err := read(&in); err != nil {
			return err
		}
		if t := c.tables[id]; t != nil {
			t.intent = &in
			c.intents.add(id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.Each(kindConflict, "", func(id string, read func(any) error) error {
		var b blob
		var r conflictRecord
		if err := errors.Join(read(&b), decode(b.Data, &r)); err != nil {
			return err
		}
		if t := c.tables[tableOfID(id)]; t != nil {
			t.conflicts = append(t.conflicts, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Each(kindParked, "", func(id string, read func(any) error) error {
		var b blob
		var r parkedRecord
		if err := errors.Join(read(&b), decode(b.Data, &r)); err != nil {
			return err
		}
		if t := c.tables[tableOfID(id)]; t != nil {
			t.parked = append(t.parked, r)
		}
		return nil
	})
}

func tableOfID(id string) string {
	t, _ := splitID(id)
	return t
}
