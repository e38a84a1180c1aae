package boxcsv

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// What Box answers, as far as it is used. Unknown fields are ignored, and
// fields that Box sometimes gives in another type are read in all of them.

// text is an id or a counter: a string, at times a number, null at the root.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	switch {
	case bytes.Equal(data, []byte("null")):
		*t = ""
	case len(data) > 0 && data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = text(s)
	default:
		*t = text(data) // a number, digit by digit: positions exceed what a float holds
	}
	return nil
}

// amount is a size in bytes. Folders have had floats; -1: not given.
type amount int64

// UnmarshalJSON implements json.Unmarshaler.
func (a *amount) UnmarshalJSON(data []byte) error {
	digits := strings.Trim(string(data), `"`)
	*a = -1
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		*a = amount(n)
		return nil
	}
	if f, err := strconv.ParseFloat(digits, 64); err == nil && f >= 0 && f < math.MaxInt64 {
		*a = amount(f)
	}
	return nil
}

// moment is a time; null or unreadable: zero.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(data []byte) error {
	at, err := time.Parse(time.RFC3339, strings.Trim(string(data), `"`))
	if err != nil {
		at = time.Time{} // the time is a courtesy, the entry is not
	}
	m.Time = at
	return nil
}

// Types of items. There are others (web_link), which are ignored.
const (
	typeFile   = "file"
	typeFolder = "folder"
)

// statusActive is that of what is not in the trash.
const statusActive = "active"

// item is a file or folder.
type item struct {
	Type        string       `json:"type"`
	ID          text         `json:"id"`
	Etag        text         `json:"etag"`
	SequenceID  text         `json:"sequence_id"`
	Name        string       `json:"name"`
	Size        amount       `json:"size"`
	SHA1        string       `json:"sha1"`
	CreatedAt   moment       `json:"created_at"`
	ModifiedAt  moment       `json:"modified_at"`
	Status      string       `json:"item_status"`
	Parent      *item        `json:"parent"`
	FileVersion *fileVersion `json:"file_version"`
}

type fileVersion struct {
	ID text `json:"id"`
}

// itemFields are asked for explicitly: an answer has no others.
const itemFields = "type,id,etag,sequence_id,name,size,sha1,created_at,modified_at,item_status,parent,file_version"

// parentID is the id of the folder that an item is in; "" if it is not known.
func (i *item) parentID() string {
	if i.Parent == nil {
		return ""
	}
	return string(i.Parent.ID)
}

// page is one page of a listing. "order" is not read: it has had two types.
type page struct {
	Entries    *[]item `json:"entries"` // nil: the answer is no listing
	NextMarker text    `json:"next_marker"`
}

// uploaded is the answer to an upload.
type uploaded struct {
	Entries []item `json:"entries"`
}

type reference struct {
	ID string `json:"id"`
}

// attributes go up with a file.
type attributes struct {
	Name   string     `json:"name,omitempty"`
	Parent *reference `json:"parent,omitempty"`
}

// newFolder is the request for a folder.
type newFolder struct {
	Name   string    `json:"name"`
	Parent reference `json:"parent"`
}

type user struct {
	ID         text `json:"id"`
	Enterprise *struct {
		ID text `json:"id"`
	} `json:"enterprise"`
}

// failureBody is what an error says. It may be empty or HTML.
type failureBody struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
	Context   struct {
		Conflicts json.RawMessage `json:"conflicts"` // an item, or a list of items
		Errors    []struct {
			Message string `json:"message"`
		} `json:"errors"`
	} `json:"context_info"`
}

// conflict is the item that is in the way; nil if the answer names none.
func (f *failureBody) conflict() *item {
	var one item
	if json.Unmarshal(f.Context.Conflicts, &one) == nil && one.ID != "" {
		return &one
	}
	var list []item
	if json.Unmarshal(f.Context.Conflicts, &list) == nil && len(list) > 0 {
		return &list[0]
	}
	return nil
}

// session is an upload in parts.
type session struct {
	ID        text  `json:"id"`
	PartSize  int64 `json:"part_size"`
	Endpoints struct {
		UploadPart string `json:"upload_part"`
		Commit     string `json:"commit"`
		Abort      string `json:"abort"`
		ListParts  string `json:"list_parts"`
	} `json:"session_endpoints"`
}

type newSession struct {
	FolderID string `json:"folder_id,omitempty"`
	FileName string `json:"file_name,omitempty"`
	FileSize int64  `json:"file_size"`
}

type part struct {
	ID     string `json:"part_id"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	SHA1   string `json:"sha1"`
}

type commit struct {
	Parts []part `json:"parts"` // the name was given when the session was opened
}

// events is one page of the stream.
type events struct {
	Next    text    `json:"next_stream_position"`
	Entries []event `json:"entries"`
}

type event struct {
	ID     string `json:"event_id"`
	Type   string `json:"event_type"`
	Source *item  `json:"source"` // null at times; of other types than items, too
}

// realtime says where to wait for events.
type realtime struct {
	Entries []struct {
		URL          string `json:"url"`
		RetryTimeout amount `json:"retry_timeout"` // seconds
		MaxRetries   amount `json:"max_retries"`
	} `json:"entries"`
}

// token is the answer of the token endpoint.
type token struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   amount `json:"expires_in"` // seconds
	Error       string `json:"error"`
	Description string `json:"error_description"`
}
