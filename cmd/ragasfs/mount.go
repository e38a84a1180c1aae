package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/background"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/mountopts"
)

// mountFlags are the flags of mount as given.
type mountFlags struct {
	options    []string // -o
	readOnly   bool
	allowOther bool
	stateDir   string
	logFile    string
	logLevel   slog.Level
	foreground bool
}

// mountPlan is a mount that is understood and looks possible.
type mountPlan struct {
	factory    backends.Factory
	mountpoint string // absolute
	options    mountopts.Options
	given      map[string]string // the -o options as given
	stateDir   string            // absolute
	logFile    string            // absolute; empty: stderr, or the store's directory
	logLevel   slog.Level
}

func (a *app) mountCommand() *cobra.Command {
	var flags mountFlags
	cmd := &cobra.Command{
		Use:   "mount SOURCE MOUNTPOINT [-o KEY=VALUE[,KEY=VALUE...]]...",
		Short: "Mount a backend",
		Long:  a.mountHelp(),
		Example: `  ragasfs mount local/csv ~/evals -o root_dir=./ragas_data
  ragasfs unmount ~/evals`,
		Args:                  cobra.ExactArgs(2),
		DisableFlagsInUseLine: true,
	}
	f := cmd.Flags()
	// Not a comma list of pflag's: `\,` is a comma in a value.
	f.StringArrayVarP(&flags.options, "options", "o", nil, "options of the mount and of the backend, see above")
	f.BoolVarP(&flags.foreground, "foreground", "f", false, "do not go to the background")
	f.BoolVar(&flags.readOnly, "read-only", false, "nothing can be changed (-o ro)")
	f.BoolVar(&flags.allowOther, "allow-other", false, "other users may enter the mount (-o allow_other)")
	f.StringVar(&flags.stateDir, "state-dir", "", "where unsent changes and the cache are kept (default $XDG_STATE_HOME/ragasfs)")
	f.StringVar(&flags.logFile, "log-file", "", "where the log goes (default: ragasfs.log beside the state; in the foreground stderr)")
	f.TextVar(&flags.logLevel, "log-level", slog.LevelInfo, "least important lines of the log: debug, info, warn or error")
	cmd.RunE = a.does(func(ctx context.Context, args []string) error {
		return a.mountOrReport(ctx, flags, args[0], args[1])
	})
	return cmd
}

// mountOrReport mounts. In the process that was started in the background the
// outcome goes to the one that waits for it.
func (a *app) mountOrReport(ctx context.Context, flags mountFlags, source, mountpoint string) error {
	reporter := background.Child(a.getenv)
	plan, err := a.plan(flags, source, mountpoint)
	switch {
	case err != nil && reporter == nil:
		return err
	case err == nil && reporter == nil && !flags.foreground:
		return a.mountInBackground(ctx, plan)
	case err == nil:
		err = a.serve(ctx, plan, reporter)
	}
	if err == nil || reporter == nil {
		return err
	}
	code, text := a.outcome(err)
	if !reporter.Failed(background.Failure{Code: code, Text: text}) {
		return err // it is long since mounted
	}
	return &codeError{code: code}
}

// plan understands flags and arguments and checks everything that can be checked
// before the backend is opened.
func (a *app) plan(flags mountFlags, source, mountpoint string) (mountPlan, error) {
	factory, err := a.backends.Lookup(source)
	if err != nil {
		return mountPlan{}, err
	}
	options, err := mountopts.Parse(flags.options, factory.Options)
	if err != nil {
		return mountPlan{}, err
	}
	options.ReadOnly = options.ReadOnly || flags.readOnly
	options.AllowOther = options.AllowOther || flags.allowOther
	if err := a.absolutePaths(options.Backend, factory.Options); err != nil {
		return mountPlan{}, err
	}
	plan := mountPlan{factory: factory, options: options, logLevel: flags.logLevel}
	if plan.stateDir, err = a.stateDir(flags.stateDir); err != nil {
		return mountPlan{}, err
	}
	if plan.mountpoint, err = filepath.Abs(mountpoint); err != nil {
		return mountPlan{}, err
	}
	if flags.logFile != "" {
		if plan.logFile, err = filepath.Abs(flags.logFile); err != nil {
			return mountPlan{}, err
		}
	}
	plan.given = mountopts.Given(flags.options)
	for name, value := range options.Backend {
		plan.given[name] = value // with an absolute path
	}
	return plan, a.checkMountpoint(plan)
}

// absolutePaths makes those options absolute that are paths, by their names, also
// where a path is a default: the daemon leaves the directory in which it was
// started, and a later mount that resumes starts in another.
func (a *app) absolutePaths(options map[string]string, known []backends.Option) error {
	for _, option := range known {
		if !strings.HasSuffix(option.Name, "_dir") && !strings.HasSuffix(option.Name, "_file") {
			continue
		}
		value, given := options[option.Name]
		if !given && (option.Env == "" || a.getenv(option.Env) == "") {
			value = option.Default
		}
		if value == "" {
			continue
		}
		absolute, err := filepath.Abs(value)
		if err != nil {
			return err
		}
		options[option.Name] = absolute
	}
	return nil
}

func (a *app) mountHelp() string {
	var b strings.Builder
	b.WriteString(`Mounts the backend SOURCE at the directory MOUNTPOINT and returns when the mount
answers. SOURCE is one of ` + strings.Join(a.backends.Names(), ", ") + `; what options
they have is shown by ` + "`ragasfs backends`" + `.

Options (-o) of every mount; "\," is a comma in a value:
`)
	for _, k := range mountopts.All() {
		fmt.Fprintf(&b, "  %-28s %s\n", k.Form(), k.Help)
	}
	b.WriteString("Those that mount(8) and fstab add (defaults, noauto, x-*, ...) are ignored.")
	return b.String()
}

// logger writes to w.
func (p mountPlan) logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: p.logLevel}))
}
