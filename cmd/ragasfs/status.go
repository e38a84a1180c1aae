package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/cache/control"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/mounts"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	var stateDir string
	cmd := &cobra.Command{
		Use:   "status [PATH]",
		Short: "Show what is pending, held, invalid or in conflict",
		Long: `With PATH: the status of a table, a project or a mount; exit code 3 if something
of it is not in the store. Without: all mounts, and the stores that are not
mounted and have changes that were never sent.

With --json one object for each mount.`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	cmd.Flags().StringVar(&stateDir, "state-dir", "", "only what belongs to this state directory")
	cmd.RunE = a.does(func(ctx context.Context, args []string) error {
		ctx, stop := interruptible(ctx)
		defer stop()
		if len(args) == 0 {
			return a.statusOfAll(ctx, asJSON, stateDir)
		}
		return a.statusOf(ctx, args[0], asJSON)
	})
	return cmd
}

// statusOf shows one path.
func (a *app) statusOf(ctx context.Context, path string, asJSON bool) error {
	t, err := a.locate(path)
	if err != nil {
		return err
	}
	status, err := t.client().Status(ctx, t.inside)
	if err != nil {
		return err
	}
	if err := a.showStatus(status, asJSON); err != nil {
		return err
	}
	if left := under(status, t.inside); !left.none() {
		left.name(a.err, t.Mountpoint)
		return &codeError{code: exitPending}
	}
	return nil
}

// statusOfAll shows all mounts, then the stores that wait for one.
func (a *app) statusOfAll(ctx context.Context, asJSON bool, onlyState string) error {
	found, err := a.running(onlyState)
	if err != nil {
		return err
	}
	var failed []error
	shown := 0
	for _, r := range found.records {
		status, err := a.askQuickly(ctx, r)
		if errors.Is(err, control.ErrNoDaemon) && died(ctx, r) {
			continue // it has just ended
		}
		if err == nil {
			shown++
			err = a.showStatus(status, asJSON)
		}
		failed = append(failed, err)
	}
	for _, mountpoint := range found.dead {
		shown++
		fmt.Fprintf(a.err, "ragasfs: %s: its process is gone; clean up with `ragasfs unmount %s`\n", mountpoint, quote(mountpoint))
	}
	stateDir, err := a.stateDir(onlyState)
	if err != nil {
		return err
	}
	stores, err := cache.Stores(stateDir)
	failed = append(failed, err)
	for _, store := range stores {
		if slices.ContainsFunc(found.records, func(r mounts.Record) bool { return samePath(r.StoreDir, store.Dir) }) {
			continue // it is being unmounted
		}
		shown++
		failed = append(failed, a.showStore(stateDir, store, asJSON))
	}
	if shown == 0 && !asJSON && errors.Join(failed...) == nil {
		fmt.Fprintln(a.out, "nothing is mounted, nothing waits to be sent")
	}
	return errors.Join(failed...)
}

// askQuickly asks one of several daemons; one that does not answer holds up the
// others for a moment only.
func (a *app) askQuickly(ctx context.Context, r mounts.Record) (cache.Status, error) {
	const moment = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	status, err := r.Client().Status(ctx, "")
	if err != nil && ctx.Err() != nil {
		return status, fmt.Errorf("%s: pid %d does not answer within %s; its log says more: %s", r.Mountpoint, r.PID, moment, r.StoreDir)
	}
	if err != nil {
		return status, fmt.Errorf("%s (pid %d): %w", r.Mountpoint, r.PID, err)
	}
	return status, nil
}

// running is what there is on this machine, as far as this user can see it.
type running struct {
	records []mounts.Record // of daemons that live, by mount point
	dead    []string        // mount points without one
}

// running returns the daemons of this user and of all mounts that can be seen;
// only those of one state directory if it is given.
func (a *app) running(onlyState string) (running, error) {
	table, err := a.mounts()
	if err != nil {
		return running{}, err
	}
	wanted := func(r mounts.Record) bool {
		return onlyState == "" || r.StateDir != "" && samePath(r.StateDir, onlyState)
	}
	var found running
	for _, m := range table {
		if r, err := a.recordOf(m); errors.Is(err, mounts.ErrNotMounted) && wanted(r) && a.dead(m) {
			found.dead = append(found.dead, m.Mountpoint)
		}
	}
	users := []int{os.Geteuid()}
	for _, m := range table {
		users = append(users, owner(m))
	}
	slices.Sort(users)
	for _, uid := range slices.Compact(users) {
		records, err := a.records(uid).Read()
		if err != nil {
			return running{}, err
		}
		found.records = append(found.records, records...)
	}
	found.records = slices.DeleteFunc(found.records, func(r mounts.Record) bool { return !wanted(r) })
	slices.SortFunc(found.records, func(a, b mounts.Record) int { return strings.Compare(a.Mountpoint, b.Mountpoint) })
	return found, nil
}

func (a *app) showStatus(status cache.Status, asJSON bool) error {
	if status.Tables == nil {
		status.Tables = []cache.TableStatus{} // [] for programs, not null
	}
	if asJSON {
		return json.NewEncoder(a.out).Encode(status)
	}
	fmt.Fprintf(a.out, "%s: %s, %s, pid %d\n", status.Mountpoint, status.Backend, status.State, status.PID)
	fmt.Fprintf(a.out, "  %s\n", pendingTotal(status.Pending.Rows, status.Pending.Tables, len(status.Projects)))
	for _, t := range status.Tables {
		if t.State == "clean" {
			fmt.Fprintf(a.out, "  %s: clean, %d rows\n", t.Path, t.Rows)
			continue
		}
		since := ""
		if t.Since != nil {
			since = ", since " + t.Since.Local().Format("2006-01-02 15:04:05")
		}
		fmt.Fprintf(a.out, "  %s: %s%s\n", t.Path, trouble(t), since)
	}
	for _, p := range status.Projects {
		fmt.Fprintf(a.out, "  %s: %s\n", p.Path, projectTrouble(p))
	}
	for _, l := range status.Limits {
		waiting := ""
		if l.Waiting > 0 {
			waiting = fmt.Sprintf(", %d wait", l.Waiting)
		}
		fmt.Fprintf(a.out, "  %s: %d a minute, %d of %d left%s\n", l.Name, l.PerMinute, l.Left, l.Burst, waiting)
	}
	for _, warning := range status.Warnings {
		fmt.Fprintf(a.out, "  note: %s\n", warning)
	}
	for _, notice := range status.Notices {
		fmt.Fprintf(a.out, "  note: %s\n", notice)
	}
	return nil
}

func pendingTotal(rows, tables, projects int) string {
	var parts []string
	switch {
	case rows > 0:
		parts = append(parts, count(rows, "row")+" in "+count(tables, "table"))
	case tables > 0: // a save that nobody has looked at yet, a new table, a deleted one
		parts = append(parts, count(tables, "table"))
	}
	if projects > 0 {
		parts = append(parts, count(projects, "project"))
	}
	if len(parts) == 0 {
		return "nothing is pending"
	}
	return strings.Join(parts, " and ") + " not sent"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// showStore shows a store that is not mounted, in the form of a mount.
func (a *app) showStore(stateDir string, store cache.StoreInfo, asJSON bool) error {
	resume := "not mounted; to send what is left: " + a.resumeCommand(stateDir, store)
	if store.Damaged {
		resume = "its state is damaged, what waits is not known in full; the next mount says more; " + resume
	}
	if asJSON {
		return a.showStatus(cache.Status{
			Mountpoint: store.Mountpoint, Source: store.Source, Backend: store.Source, State: "offline",
			Pending: cache.PendingTotal{Tables: store.Tables, Rows: store.Rows}, Notices: []string{resume},
		}, true)
	}
	fmt.Fprintf(a.out, "%s: %s, not mounted\n", store.Mountpoint, store.Source)
	fmt.Fprintf(a.out, "  %s\n", pendingTotal(store.Rows, store.Tables, len(store.Projects)))
	if store.Damaged {
		fmt.Fprintln(a.out, "  its state is damaged, what waits is not known in full; the next mount says more")
	}
	fmt.Fprintf(a.out, "  to send what is left: %s\n", a.resumeCommand(stateDir, store))
	return nil
}

// resumeCommand is how the store was mounted last.
func (a *app) resumeCommand(stateDir string, store cache.StoreInfo) string {
	var options []string
	for key, value := range store.Options {
		if value != "" {
			key += "=" + strings.ReplaceAll(value, ",", `\,`)
		}
		options = append(options, key)
	}
	slices.Sort(options)
	command := "ragasfs mount " + quote(store.Source) + " " + quote(store.Mountpoint)
	if len(options) > 0 {
		command += " -o " + quote(strings.Join(options, ","))
	}
	if usual, err := a.stateDir(""); err != nil || !samePath(usual, stateDir) {
		command += " --state-dir " + quote(stateDir)
	}
	return command
}
