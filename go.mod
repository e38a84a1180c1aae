module github.com/ragasfs/ragasfs

go 1.26.8
