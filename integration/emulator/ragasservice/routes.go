package ragasservice

import (
	"fmt"
	"strings"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
)

// router registers an endpoint: "METHOD path/below/the/base".
type router func(pattern string, serve func(*call) (any, error))

func projectRoutes(route router) {
	route("GET projects", func(c *call) (any, error) {
		page, err := c.page()
		if err != nil {
			return nil, err
		}
		var ids []string
		if list := c.r.URL.Query().Get("ids"); list != "" {
			ids = strings.Split(list, ",")
		}
		return c.store.ListProjects(page, ids)
	})
	route("POST projects", func(c *call) (any, error) {
		named, err := c.titled()
		if err != nil {
			return nil, err
		}
		return c.store.CreateProject(named)
	})
	const one = "projects/{project}"
	route("GET "+one, func(c *call) (any, error) { return c.store.GetProject(c.table().Project) })
	route("PATCH "+one, func(c *call) (any, error) {
		named, err := c.titled()
		if err != nil {
			return nil, err
		}
		return c.store.UpdateProject(c.table().Project, named)
	})
	route("DELETE "+one, func(c *call) (any, error) { return deleted(c.store.DeleteProject(c.table().Project)) })
}

func (c *call) titled() (ragasapi.Named, error) {
	var body struct{ Title, Description *string }
	err := c.body(&body)
	return ragasapi.Named{Name: body.Title, Description: body.Description}, err
}

func (c *call) named() (ragasapi.Named, error) {
	var body struct{ Name, Description *string }
	err := c.body(&body)
	return ragasapi.Named{Name: body.Name, Description: body.Description}, err
}

// tableRoutes are the endpoints of one kind of tables, their columns and rows.
func tableRoutes(kind ragasapi.Kind, all router) {
	route := func(pattern string, serve func(*call) (any, error)) {
		all(pattern, func(c *call) (any, error) {
			c.kind = kind
			return serve(c)
		})
	}
	list := "projects/{project}/" + string(kind)
	one := list + "/{table}"
	route("GET "+list, func(c *call) (any, error) {
		page, err := c.page()
		if err != nil {
			return nil, err
		}
		return c.store.ListTables(c.table(), page)
	})
	route("POST "+list, func(c *call) (any, error) {
		named, err := c.named()
		if err != nil {
			return nil, err
		}
		return c.store.CreateTable(c.table(), named)
	})
	route("GET "+one, func(c *call) (any, error) { return c.store.GetTable(c.table()) })
	route("PATCH "+one, func(c *call) (any, error) {
		named, err := c.named()
		if err != nil {
			return nil, err
		}
		return c.store.UpdateTable(c.table(), named)
	})
	route("DELETE "+one, func(c *call) (any, error) { return deleted(c.store.DeleteTable(c.table())) })
	columnRoutes(one+"/columns", route)
	rowRoutes(one+"/rows", route)
}

func columnRoutes(list string, route router) {
	one := list + "/{id}"
	route("GET "+list, func(c *call) (any, error) {
		page, err := c.page()
		if err != nil {
			return nil, err
		}
		return c.store.ListColumns(c.table(), page)
	})
	route("POST "+list, func(c *call) (any, error) {
		var body struct {
			ID, Name, Type string
			Settings       ragasapi.Object
		}
		if err := c.body(&body); err != nil {
			return nil, err
		}
		return c.store.CreateColumn(c.table(), ragasapi.NewColumn(body))
	})
	route("GET "+one, func(c *call) (any, error) { return c.store.GetColumn(c.table(), c.r.PathValue("id")) })
	route("PATCH "+one, func(c *call) (any, error) {
		var body struct {
			Name, Type *string
			Settings   ragasapi.Object
		}
		if err := c.body(&body); err != nil {
			return nil, err
		}
		return c.store.UpdateColumn(c.table(), c.r.PathValue("id"), ragasapi.ColumnPatch(body))
	})
	route("DELETE "+one, func(c *call) (any, error) {
		return deleted(c.store.DeleteColumn(c.table(), c.r.PathValue("id")))
	})
}

func rowRoutes(list string, route router) {
	one := list + "/{id}"
	route("GET "+list, func(c *call) (any, error) {
		page, err := c.page()
		if err != nil {
			return nil, err
		}
		return c.store.ListRows(c.table(), page)
	})
	route("POST "+list, func(c *call) (any, error) {
		id, data, err := c.row()
		if err != nil {
			return nil, err
		}
		if id == nil {
			return nil, fmt.Errorf("a row needs an id: %w", ragasapi.ErrInvalid)
		}
		return c.store.CreateRow(c.table(), *id, data)
	})
	route("GET "+one, func(c *call) (any, error) { return c.store.GetRow(c.table(), c.r.PathValue("id")) })
	route("PATCH "+one, func(c *call) (any, error) {
		_, data, err := c.row()
		if err != nil {
			return nil, err
		}
		return c.store.UpdateRow(c.table(), c.r.PathValue("id"), data)
	})
	route("DELETE "+one, func(c *call) (any, error) {
		return deleted(c.store.DeleteRow(c.table(), c.r.PathValue("id")))
	})
}

func (c *call) row() (id *string, data ragasapi.Object, err error) {
	var body struct {
		ID   *string
		Data ragasapi.Object
	}
	if err := c.body(&body); err != nil {
		return nil, nil, err
	}
	if body.Data == nil {
		return nil, nil, fmt.Errorf("a row needs data: %w", ragasapi.ErrInvalid)
	}
	return body.ID, body.Data, nil
}
