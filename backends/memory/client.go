package memory

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory/memoryapi"
	"github.com/ragasfs/ragasfs/backends/table"
)

// defaultTimeout is how long the store may be silent.
const defaultTimeout = 30 * time.Second

// ClientOptions say how a Client behaves.
type ClientOptions struct {
	// Versionless: versions that the store gives are dropped, none is sent.
	Versionless bool
	// Timeout is how long the store may be silent before a call fails; a load
	// may take longer as long as rows come. Zero: 30s.
	Timeout time.Duration
}

// Client is a Store in another process. It implements backends.Backend,
// Renamer, Prober, RowGetter and Finder; it does not watch.
type Client struct {
	transport transport
	address   string
	options   ClientOptions
}

// Dial returns a client of the store at address, "unix:PATH" or "HOST:PORT".
// It does not connect yet. The error wraps backends.ErrOption.
func Dial(address string, options ClientOptions) (*Client, error) {
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
	transport, err := newTransport(address, options.Timeout)
	if err != nil {
		return nil, err
	}
	return &Client{transport: transport, address: address, options: options}, nil
}

// Opened returns the client as an open backend.
func (c *Client) Opened() backends.Opened {
	return backends.Opened{
		Backend: c,
		Properties: backends.Properties{
			Form:           backends.Rows,
			Identity:       Name + ":" + c.address,
			CompareAndSwap: !c.options.Versionless,
			RenameProject:  true,
		},
		Close: func() error {
			c.transport.client.CloseIdleConnections()
			return nil
		},
	}
}

// List implements backends.Backend.
func (c *Client) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	path := "/projects"
	if scope != (backends.Ref{}) {
		path = projectPath(scope)
	}
	var wire []memoryapi.Entry
	err := c.transport.call(ctx, request{method: http.MethodGet, path: path, query: idsOf(scope)}, &wire)
	if err == nil && wire == nil {
		err = fmt.Errorf("the answer is no list: %w", backends.ErrIncomplete)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", scope, err)
	}
	entries := make([]backends.Entry, len(wire))
	for i, e := range wire {
		entries[i] = c.entry(e)
	}
	return entries, nil
}

// Create implements backends.Backend.
func (c *Client) Create(ctx context.Context, create backends.Create) (backends.Entry, error) {
	body := memoryapi.Create{
		Name: memoryapi.Text(create.Ref.Project), Columns: ColumnsToWire(create.Columns), Nonce: create.Nonce,
	}
	path := "/projects"
	if create.Ref.IsTable() {
		body.Name = memoryapi.Text(create.Ref.Name)
		path = projectPath(create.Ref) + "/" + segment(string(create.Ref.Kind))
	}
	return c.change(ctx, "create", create.Ref, request{method: http.MethodPost, path: path, body: body})
}

// Delete implements backends.Backend.
func (c *Client) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	query := idsOf(ref)
	if base != "" && !c.options.Versionless {
		query.Set("base", string(base))
	}
	err := c.transport.call(ctx, request{method: http.MethodDelete, path: objectPath(ref), query: query, writes: true}, nil)
	if err != nil {
		return fmt.Errorf("delete %s: %w", ref, err)
	}
	return nil
}

// Rename implements backends.Renamer.
func (c *Client) Rename(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	body := memoryapi.Rename{Name: memoryapi.Text(name)}
	return c.change(ctx, "rename", ref, request{method: http.MethodPatch, path: objectPath(ref), body: body})
}

// change sends a request that changes ref and answers its entry.
func (c *Client) change(ctx context.Context, verb string, ref backends.Ref, r request) (backends.Entry, error) {
	r.query = idsOf(ref)
	r.writes = true
	var wire memoryapi.Entry
	if err := c.transport.call(ctx, r, &wire); err != nil {
		return backends.Entry{}, fmt.Errorf("%s %s: %w", verb, ref, err)
	}
	return c.entry(wire), nil
}

// Probe implements backends.Prober.
func (c *Client) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	var wire memoryapi.Entry
	err := c.transport.call(ctx, request{method: http.MethodGet, path: objectPath(ref), query: idsOf(ref)}, &wire)
	if err != nil {
		return backends.Entry{}, fmt.Errorf("probe %s: %w", ref, err)
	}
	return c.entry(wire), nil
}

// Apply implements backends.Backend.
func (c *Client) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	body := BatchToWire(batch)
	if c.options.Versionless {
		body.Base = ""
	}
	var wire memoryapi.Result
	err := c.transport.call(ctx, request{
		method: http.MethodPost, path: objectPath(batch.Ref) + "/rows:apply",
		query: idsOf(batch.Ref), body: body, writes: true,
	}, &wire)
	if err == nil && len(wire.Outcomes) != len(batch.Changes.Rows) {
		err = fmt.Errorf("%d outcomes for %d changes: %w", len(wire.Outcomes), len(batch.Changes.Rows), backends.ErrUnknown)
	}
	if err != nil {
		err = fmt.Errorf("apply %d changes to %s: %w", len(batch.Changes.Rows), batch.Ref, err)
		return backends.UnknownResult(batch, err), err
	}
	result := backends.Result{
		Version:  c.version(wire.Version),
		ModTime:  wire.Modified,
		Outcomes: make([]backends.Outcome, len(wire.Outcomes)),
	}
	if wire.Columns != nil {
		result.Columns = ColumnsFromWire(wire.Columns)
	}
	for i, o := range wire.Outcomes {
		result.Outcomes[i] = backends.Outcome{Verdict: backends.Applied}
		if o.Error != nil {
			result.Outcomes[i] = backends.Outcome{
				Verdict: backends.Refused, Err: errorFromWire(o.Error, backends.ErrRefused),
			}
		}
	}
	return result, nil
}

// GetRows implements backends.RowGetter.
func (c *Client) GetRows(
	ctx context.Context, ref backends.Ref, columns []table.Column, ids []string,
) ([]backends.Row, error) {
	var wire memoryapi.Rows
	err := c.transport.call(ctx, request{
		method: http.MethodPost, path: objectPath(ref) + "/rows:get", query: idsOf(ref),
		body: memoryapi.Get{Columns: ColumnsToWire(columns), IDs: memoryapi.Texts(ids)},
	}, &wire)
	if err != nil {
		return nil, fmt.Errorf("get %d rows of %s: %w", len(ids), ref, err)
	}
	return rowsFromWire(wire.Rows), nil
}

// Find implements backends.Finder.
func (c *Client) Find(
	ctx context.Context, ref backends.Ref, column, value string,
) ([]backends.Row, []table.Column, error) {
	query := idsOf(ref)
	query.Set("column", column)
	query.Set("value", value)
	var wire memoryapi.Rows
	err := c.transport.call(ctx, request{
		method: http.MethodGet, path: objectPath(ref) + "/rows:find", query: query,
	}, &wire)
	if err != nil {
		return nil, nil, fmt.Errorf("find in %s: %w", ref, err)
	}
	return rowsFromWire(wire.Rows), ColumnsFromWire(wire.Columns), nil
}

func rowsFromWire(wire []memoryapi.Row) []backends.Row {
	rows := make([]backends.Row, len(wire))
	for i, r := range wire {
		rows[i] = RowFromWire(r)
	}
	return rows
}

func (c *Client) version(wire string) backends.Version {
	if c.options.Versionless {
		return ""
	}
	return backends.Version(wire)
}

func (c *Client) entry(wire memoryapi.Entry) backends.Entry {
	entry := EntryFromWire(wire)
	entry.Version = c.version(wire.Version)
	return entry
}

func objectPath(ref backends.Ref) string {
	if !ref.IsTable() {
		return projectPath(ref)
	}
	return projectPath(ref) + "/" + segment(string(ref.Kind)) + "/" + segment(ref.Name)
}

func projectPath(ref backends.Ref) string { return "/projects/" + segment(ref.Project) }

// segment escapes a name for a path. Names of dots alone would be taken for
// directions, an empty one would vanish: an id says what is meant.
func segment(name string) string {
	switch strings.Trim(name, ".") {
	case "":
		if name == "" {
			return "-"
		}
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

func idsOf(ref backends.Ref) url.Values {
	query := url.Values{}
	if ref.ProjectID != "" {
		query.Set("project_id", ref.ProjectID)
	}
	if ref.ID != "" {
		query.Set("id", ref.ID)
	}
	return query
}
