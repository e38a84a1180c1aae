package ragasapp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ragasfs/ragasfs/backends"
)

const (
	// askPage is how many items are asked for at a time; servers give fewer.
	askPage = 500
	// surePage is what Ragas' own client asks for: no server refuses that.
	surePage = 50
	// attempts is how often a list is read until it is one that did not change
	// meanwhile.
	attempts = 4
)

// order is how a list is asked for.
type order struct{ by, dir string }

var (
	byCreation = order{"created_at", "asc"}
	byChange   = order{"updated_at", "desc"}
)

// part asks for one page.
func part[T any](ctx context.Context, c *client, path []string, o order, offset, limit int) (listOf[T], error) {
	query := url.Values{
		"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}, "order_by": {o.by}, "sort_dir": {o.dir},
	}
	r := request{method: http.MethodGet, path: path, query: query}
	list, err := ask[listOf[T]](ctx, c, r)
	if total := list.Pagination.Total; err == nil && list.Items == nil && (total == nil || *total != 0) {
		err = r.said(fmt.Errorf("the answer has no items: %w", backends.ErrIncomplete))
	}
	if errors.Is(err, backends.ErrRefused) && limit > surePage {
		return part[T](ctx, c, path, o, offset, surePage)
	}
	return list, err
}

// stream gives a list page by page, in order, whatever the size of the server's
// pages. Once it is known how long the list is, pages are fetched at the same
// time. What comes is what offset paging gives: where rows are added or deleted
// meanwhile, some may come twice or not at all, which the caller finds out.
//
// known is what the list is known to be; where it says nothing the first page
// has to be there before others are asked for.
func stream[T any](ctx context.Context, c *client, path []string, o order, known span) iter.Seq2[listOf[T], error] {
	return func(yield func(listOf[T], error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if known.size == 0 {
			first, err := part[T](ctx, c, path, o, 0, askPage)
			if !yield(first, err) || err != nil || len(first.Items) == 0 {
				return
			}
			known = span{from: len(first.Items), size: len(first.Items)}
			if first.Pagination.Total != nil {
				known.to = *first.Pagination.Total
				c.sawPage(known.size, known.to)
			}
		}
		size, next := known.size, known.from
		if total := known.to; total > 0 {
			for page, err := range ahead[T](ctx, c, path, o, known) {
				if !yield(page, err) || err != nil {
					return
				}
				if page.Pagination.Total != nil {
					total = *page.Pagination.Total
				}
				next += len(page.Items)
			}
			if next >= total {
				return
			}
		}
		// The list has grown, or nobody says how long it is.
		for {
			page, err := part[T](ctx, c, path, o, next, size)
			if !yield(page, err) || err != nil || len(page.Items) == 0 {
				return
			}
			next += len(page.Items)
			if total := page.Pagination.Total; total != nil && next >= *total {
				return
			}
		}
	}
}

// span is a part of a list, to be fetched in pages.
type span struct{ from, to, size int }

// ahead fetches a span with several pages under way, and gives them in order.
// There are more of them than connections: while one is decoded, or waits for
// those before it, its connection has the next.
func ahead[T any](ctx context.Context, c *client, path []string, o order, s span) iter.Seq2[listOf[T], error] {
	type answer struct {
		page listOf[T]
		err  error
	}
	return func(yield func(listOf[T], error) bool) {
		var underWay []chan answer
		at := s.from
		for at < s.to || len(underWay) > 0 {
			for at < s.to && len(underWay) < 2*connections {
				done := make(chan answer, 1)
				offset, limit := at, min(s.size, s.to-at)
				go func() {
					page, err := whole[T](ctx, c, path, o, offset, limit)
					done <- answer{page, err}
				}()
				underWay = append(underWay, done)
				at += s.size
			}
			got := <-underWay[0]
			underWay = underWay[1:]
			if !yield(got.page, got.err) || got.err != nil {
				return
			}
		}
	}
}

// whole fetches a page, and the rest of it where the server gave less. It is
// shorter than asked for only at the end of the list.
func whole[T any](ctx context.Context, c *client, path []string, o order, offset, limit int) (listOf[T], error) {
	page, err := part[T](ctx, c, path, o, offset, limit)
	for err == nil && len(page.Items) < limit {
		more, moreErr := part[T](ctx, c, path, o, offset+len(page.Items), limit-len(page.Items))
		if moreErr != nil {
			return page, moreErr
		}
		if len(more.Items) == 0 {
			break
		}
		page.Items = append(page.Items, more.Items...)
		page.Pagination.Total = more.Pagination.Total
	}
	return page, err
}

// all returns a whole list, each object once. It is read again while it changes.
func all[T any](ctx context.Context, c *client, path []string, id func(T) string) ([]T, error) {
	for range attempts {
		items := []T{}
		seen := map[string]bool{}
		total := -1
		for page, err := range stream[T](ctx, c, path, byCreation, span{}) {
			if err != nil {
				return nil, err
			}
			for _, item := range page.Items {
				if !seen[id(item)] {
					seen[id(item)] = true
					items = append(items, item)
				}
			}
			if page.Pagination.Total != nil {
				total = *page.Pagination.Total
			}
		}
		if total < 0 || total == len(items) {
			return items, nil
		}
	}
	r := request{method: http.MethodGet, path: path}
	return nil, r.said(fmt.Errorf("the list changed each time that it was read: %w", backends.ErrIncomplete))
}

// sawPage notes how many items the server gives at a time: where there are more
// than came.
func (c *client) sawPage(came, total int) {
	if came > 0 && total > came {
		c.page.Store(int64(came))
	}
}

// pageSize is how many rows the server gives at a time, as far as it has shown.
func (c *client) pageSize() int {
	if size := int(c.page.Load()); size > 0 {
		return size
	}
	return surePage
}
