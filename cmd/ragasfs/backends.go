package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// backendInfo is one line of `ragasfs backends --json`.
type backendInfo struct {
	Name    string       `json:"name"`
	Help    string       `json:"help"`
	Options []optionInfo `json:"options"`
}

type optionInfo struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Env     string `json:"env"`
	Help    string `json:"help"`
}

func (a *app) backendsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backends",
		Short: "List the backends and their options",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	cmd.RunE = a.does(func(context.Context, []string) error {
		list := a.backendList()
		if asJSON {
			return writeJSON(a.out, list)
		}
		for _, b := range list {
			fmt.Fprintf(a.out, "%s: %s\n", b.Name, b.Help)
			for _, o := range b.Options {
				fmt.Fprintf(a.out, "    -o %-16s %s%s\n", o.Name, o.Help, origin(o))
			}
		}
		return nil
	})
	return cmd
}

func (a *app) backendList() []backendInfo {
	list := []backendInfo{}
	for _, f := range a.backends.All() {
		info := backendInfo{Name: f.Name, Help: f.Help, Options: []optionInfo{}}
		for _, o := range f.Options {
			info.Options = append(info.Options, optionInfo(o))
		}
		list = append(list, info)
	}
	return list
}

// origin says where an option's value comes from if it is not given.
func origin(o optionInfo) string {
	switch {
	case o.Env != "" && o.Default != "":
		return fmt.Sprintf(" (default $%s, else %s)", o.Env, o.Default)
	case o.Env != "":
		return fmt.Sprintf(" (default $%s)", o.Env)
	case o.Default != "":
		return fmt.Sprintf(" (default %s)", o.Default)
	}
	return ""
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
