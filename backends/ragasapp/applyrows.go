package ragasapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// errNoTable is wrapped where a row is not there because its table is not.
var errNoTable = errors.New("the table is not there")

// change makes one change. Whatever may have happened is looked at before it is
// tried again: each round begins with what the row is now.
func (a *application) change(ctx context.Context, change *table.Change) backends.Outcome {
	pause := firstPause
	for round := 0; ; round++ {
		err := a.try(ctx, change, round > 0)
		if !errors.Is(err, backends.ErrUnknown) {
			return a.outcome(change, err)
		}
		// What came of it? If even that can't be told, it stays unknown.
		settled, settleErr := a.settle(ctx, change)
		if settleErr != nil {
			a.touched.Store(true)
			return a.outcome(change, err)
		}
		if settled {
			return a.outcome(change, nil)
		}
		err = notDone(err)
		if round >= a.backend.client.retries || sleep(ctx, pause) != nil {
			return a.outcome(change, err)
		}
		pause = min(2*pause, longestWait)
	}
}

// notDone is the error of a write that certainly did not happen.
func notDone(err error) error {
	said := fmt.Errorf("%w: it was not done: %s", backends.ErrUnavailable, err.Error())
	var after *backends.RetryAfter
	if errors.As(err, &after) {
		return &backends.RetryAfter{Err: said, Wait: after.Wait}
	}
	return said
}

// outcome says what an error means for a change.
func (a *application) outcome(change *table.Change, err error) backends.Outcome {
	if err == nil {
		return backends.Outcome{Verdict: backends.Applied}
	}
	err = fmt.Errorf("row %q: %w", change.Key, err)
	if errors.Is(err, errNoTable) || !isRefusal(err) {
		return backends.Outcome{Verdict: backends.Unknown, Err: err}
	}
	return backends.Outcome{Verdict: backends.Refused, Err: err}
}

func isRefusal(err error) bool {
	for _, transient := range []error{
		backends.ErrUnknown, backends.ErrUnavailable, backends.ErrAuth, backends.ErrIncomplete, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, transient) {
			return false
		}
	}
	return true
}

// try makes one change once. again: it may have been made before.
func (a *application) try(ctx context.Context, change *table.Change, again bool) error {
	switch change.Op {
	case table.Append:
		return a.append(ctx, change, again)
	case table.Update:
		return a.update(ctx, change, again)
	case table.Delete:
		return a.delete(ctx, change, again)
	}
	return fmt.Errorf("row operation %d is not known: %w", change.Op, backends.ErrRefused)
}

// current is a row as it is now; nil: it is not there. fresh: it is asked for
// even if all rows were read before.
func (a *application) current(ctx context.Context, id string, fresh bool) (*wireRow, error) {
	if a.loaded != nil && !fresh {
		a.mu.Lock()
		w, there := a.loaded[id]
		a.mu.Unlock()
		if there {
			return &w, nil
		}
		if a.loadedNow {
			return nil, nil
		}
	}
	if strings.HasPrefix(id, noID) {
		return nil, fmt.Errorf("it has no id in the store, so nothing can be sent to it: %w", backends.ErrRefused)
	}
	w, err := a.backend.getRow(ctx, a.table, id)
	if w == nil && err == nil {
		if tableErr := a.hasTable(); errors.Is(tableErr, backends.ErrNotFound) {
			return nil, fmt.Errorf("%w: %w", errNoTable, tableErr)
		} else if tableErr != nil {
			return nil, tableErr
		}
	}
	return w, err
}

// getRow asks for one row. Nil without an error: it is not there.
func (b *Backend) getRow(ctx context.Context, t tableID, id string) (*wireRow, error) {
	w, err := ask[wireRow](ctx, b.client, request{method: http.MethodGet, path: rowPath(t, id)})
	if errors.Is(err, backends.ErrNotFound) {
		return nil, nil
	}
	if err == nil && w.ID != id {
		err = fmt.Errorf("row %q was asked for, %q came: %w", id, w.ID, backends.ErrIncomplete)
	}
	if err != nil {
		return nil, err
	}
	return &w, nil
}

// append makes a row. Where one of that id may be there, it is looked at first:
// some servers take a second one for a change of the first.
func (a *application) append(ctx context.Context, change *table.Change, again bool) error {
	id := string(change.Key)
	if id == "" {
		return fmt.Errorf("a row needs an id: %w", backends.ErrRefused)
	}
	if again || !a.isAtBase {
		known, err := a.current(ctx, id, again)
		if err != nil {
			return err
		}
		if known != nil {
			return a.isSame(change, known)
		}
	}
	data, err := a.newData(change)
	if err != nil {
		return err
	}
	made, err := a.write(ctx, request{method: http.MethodPost, path: rowsPath(a.table), body: newRow{ID: id, Data: data}}, id)
	if errors.Is(err, backends.ErrRefused) || errors.Is(err, backends.ErrExists) || errors.Is(err, backends.ErrConflict) {
		if known, lookErr := a.current(ctx, id, true); lookErr == nil && known != nil {
			return a.isSame(change, known)
		}
		return err
	}
	if errors.Is(err, backends.ErrNotFound) { // of the table: a row is not named
		return fmt.Errorf("%w: %w", errNoTable, err)
	}
	if err != nil {
		return err
	}
	a.wrote(made, true, data)
	return nil
}

// update changes the cells in which Before and After differ, and sends the whole
// row: whether a server merges or replaces is not known.
func (a *application) update(ctx context.Context, change *table.Change, again bool) error {
	id := string(change.Key)
	known, err := a.current(ctx, id, again)
	if err != nil {
		return err
	}
	if known == nil {
		return fmt.Errorf("there is no such row: %w", backends.ErrNotFound)
	}
	set, err := a.cellsToSet(change, known)
	if err != nil || len(set) == 0 {
		return err
	}
	data := maps.Clone(known.Data)
	maps.Copy(data, set)
	written, err := a.write(ctx, request{method: http.MethodPatch, path: rowPath(a.table, id), body: rowPatch{Data: data}}, id)
	if errors.Is(err, backends.ErrNotFound) {
		return fmt.Errorf("the row is gone: %w", err)
	}
	if err != nil {
		return err
	}
	a.wrote(written, false, set)
	return nil
}

// delete removes a row, unless somebody else has changed it: an edit beats a
// delete.
func (a *application) delete(ctx context.Context, change *table.Change, again bool) error {
	id := string(change.Key)
	known, err := a.current(ctx, id, again)
	if err != nil || known == nil {
		return err
	}
	for j, name := range a.batch.Changes.OldHeader {
		i := slices.IndexFunc(a.columns, func(c column) bool {
			return c.shown == name && a.oldNames[name] == "" || a.oldNames[c.shown] == name
		})
		if i < 0 || change.Before == nil {
			continue
		}
		c := &a.columns[i]
		if !c.holds(valueOf(c, known.Data), at(change.Before, j)) {
			return conflict(name)
		}
	}
	_, err = a.backend.client.do(ctx, request{method: http.MethodDelete, path: rowPath(a.table, id)})
	if errors.Is(err, backends.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	a.deleted(id)
	return nil
}

// deleted notes that a row is gone.
func (a *application) deleted(id string) {
	a.touched.Store(true)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.loaded, id)
	if a.claim != nil && !a.claim.deleted(id) {
		a.claim = nil
	}
}

// write sends a row and returns the server's answer.
func (a *application) write(ctx context.Context, r request, id string) (wireRow, error) {
	w, err := ask[wireRow](ctx, a.backend.client, r)
	if err == nil && w.ID != id {
		err = r.said(fmt.Errorf("row %q was sent, the answer is about %q: %w", id, w.ID, backends.ErrUnknown))
	}
	return w, err
}

// wrote notes an answer, and says so if the server made something else of it.
func (a *application) wrote(w wireRow, made bool, sent cells) {
	a.touched.Store(true)
	for key, value := range sent {
		if got := w.Data[key]; !sameValue(got, value) {
			a.backend.log.Warn("the server keeps another value than was sent", "row", w.ID, "key", key)
			a.dropClaim() // the table is to be loaded
			break
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.loaded != nil {
		a.loaded[w.ID] = w
	}
	if a.claim != nil {
		a.claim.wrote(w, made)
	}
}

func sameValue(a, b json.RawMessage) bool {
	return render(a) == render(b) || table.EqualCells(table.JSON, string(a), string(b))
}

func (a *application) dropClaim() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claim = nil
}

// settle looks at what became of a write whose answer was lost. True: the row is
// as the change wants it.
func (a *application) settle(ctx context.Context, change *table.Change) (bool, error) {
	known, err := a.current(ctx, string(change.Key), true)
	switch {
	case err != nil:
		return false, err
	case known == nil:
		if change.Op == table.Delete {
			a.deleted(string(change.Key))
		}
		return change.Op == table.Delete, nil
	case change.Op == table.Delete:
		return false, nil
	case change.Op == table.Append && a.isSame(change, known) != nil:
		return false, nil
	case change.Op == table.Update:
		if set, err := a.cellsToSet(change, known); err != nil || len(set) > 0 {
			return false, nil // the next round says what is wrong
		}
	}
	a.wrote(*known, change.Op == table.Append, nil)
	return true, nil
}
