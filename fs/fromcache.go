package fs

import (
	"context"

	"github.com/ragasfs/ragasfs/cache"
)

// FromCache shows a cache as a Tree, with its views. Nothing happens here but a
// change of types.
func FromCache(c *cache.Cache) Tree { return withViews(cacheTree{c}, c.View) }

type cacheTree struct{ *cache.Cache }

type cacheFile struct{ *cache.File }

// cacheInvalidator is the way back: what the cache calls.
type cacheInvalidator struct{ Invalidator }

func (i cacheInvalidator) Attr(f *cache.File) { i.Invalidator.Attr(cacheFile{f}) }

func (t cacheTree) SetInvalidator(i Invalidator) { t.Cache.SetInvalidator(cacheInvalidator{i}) }

func fromCacheNode(n cache.Node, err error) (Node, error) {
	if err != nil {
		return Node{}, err
	}
	node := Node{Attr: n.Attr}
	if n.File != nil {
		node.File = cacheFile{n.File}
	}
	return node, nil
}

func (t cacheTree) Lookup(ctx context.Context, dir, name string) (Node, error) {
	return fromCacheNode(t.Cache.Lookup(ctx, dir, name))
}

func (t cacheTree) Create(ctx context.Context, dir, name string, flags int, mode uint32, caller cache.Caller) (Node, Handle, error) {
	n, h, err := t.Cache.Create(ctx, dir, name, flags, mode, caller)
	if err != nil {
		return Node{}, nil, err
	}
	node, err := fromCacheNode(n, nil)
	return node, h, err
}

func (t cacheTree) Mknod(ctx context.Context, dir, name string, mode, dev uint32, caller cache.Caller) (Node, error) {
	return fromCacheNode(t.Cache.Mknod(ctx, dir, name, mode, dev, caller))
}

func (t cacheTree) Mkdir(ctx context.Context, dir, name string, mode uint32, caller cache.Caller) (Node, error) {
	return fromCacheNode(t.Cache.Mkdir(ctx, dir, name, mode, caller))
}

func (t cacheTree) Symlink(ctx context.Context, dir, name, target string, caller cache.Caller) (Node, error) {
	return fromCacheNode(t.Cache.Symlink(ctx, dir, name, target, caller))
}

func (t cacheTree) Link(ctx context.Context, file File, dir, name string) (Node, error) {
	f, ok := file.(cacheFile)
	if !ok {
		return Node{}, cache.ErrNotPermitted
	}
	return fromCacheNode(t.Cache.Link(ctx, f.File, dir, name))
}

func (f cacheFile) SetAttr(ctx context.Context, set cache.SetAttr, h Handle) (cache.Attr, error) {
	handle, _ := h.(*cache.Handle) // nil stays nil
	return f.File.SetAttr(ctx, set, handle)
}

func (f cacheFile) Open(ctx context.Context, flags int, caller cache.Caller) (Handle, error) {
	h, err := f.File.Open(ctx, flags, caller)
	if err != nil {
		return nil, err
	}
	return h, nil
}
