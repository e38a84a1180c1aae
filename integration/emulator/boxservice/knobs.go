package boxservice

import (
	"encoding/json"
	"net/http"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// Knobs are behaviours of Box that are rare or disputed. A number says how many
// of the next calls behave so.
type Knobs struct {
	MarkerEnd       string          `json:"marker_end"`         // "", "null" or "empty": how the last page says so
	PageSize        int             `json:"page_size"`          // most entries on a page of a listing; 0: as asked
	RepeatEntries   bool            `json:"repeat_entries"`     // a page of a listing begins with the last entry of the one before
	ListingLag      faults.Duration `json:"listing_lag"`        // listings show so late what was made and what was deleted
	Sanitize        bool            `json:"sanitize"`           // names are changed instead of refused
	StrangeListing  bool            `json:"strange_listing"`    // a web link, an order that is an object, unknown fields
	StrangeTypes    bool            `json:"strange_types"`      // listings have numbers as ids, sizes with fractions, times that are null
	DuplicateEvents bool            `json:"duplicate_events"`   // an event comes again, before others
	EmptySources    bool            `json:"empty_sources"`      // every page of events begins with one about nothing
	LostPosition    int             `json:"lost_position"`      // reads of the events from a position answer 400
	KeepEtag        bool            `json:"keep_etag"`          // promoting a version brings its etag back
	VersionRing     int             `json:"version_ring"`       // most past versions kept; 0: all
	NotReady        int             `json:"not_ready"`          // downloads answer 202
	WrongBytes      int             `json:"wrong_bytes"`        // downloads have another content of the same size
	EmptyBody       int             `json:"empty_body"`         // downloads are 0 bytes
	ExpiredURL      int             `json:"expired_url"`        // download URLs are expired at once
	Gzip            int             `json:"gzip"`               // downloads are compressed, where the client takes that
	WrongSHA1       int             `json:"wrong_sha1"`         // uploads answer another sha1
	WrongSize       int             `json:"wrong_size"`         // uploads answer another size
	WrongName       int             `json:"wrong_name"`         // uploads answer another name
	NameReserved    int             `json:"name_reserved"`      // creates answer name_temporarily_reserved
	Blocked         int             `json:"blocked"`            // creates and changes answer operation_blocked_temporary
	CommitNotReady  int             `json:"commit_not_ready"`   // commits answer 202
	PartsMismatch   int             `json:"parts_mismatch"`     // commits answer parts_mismatch
	SessionExpired  int             `json:"session_expired"`    // parts answer 410
	MarkerRejected  int             `json:"marker_rejected"`    // listings with a marker answer 400
	HideListings    int             `json:"hide_listings"`      // listings are empty, as after a collaboration was removed
	StorageFull     int             `json:"storage_full"`       // uploads answer storage_limit_exceeded
	LatePersist     string          `json:"late_persist"`       // "5s": uploads answer 503 and are carried out after it
	LatePersists    int             `json:"late_persist_times"` // how many
}

// SetKnobs changes how the service behaves.
func (s *Service) SetKnobs(change func(*Knobs)) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	change(&s.knobs)
	s.store.ring = s.knobs.VersionRing
}

func (s *Service) getOptions(w http.ResponseWriter) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	faults.WriteJSON(w, http.StatusOK, s.knobs)
}

func (s *Service) postOptions(w http.ResponseWriter, r *http.Request) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var err error
	s.SetKnobs(func(k *Knobs) {
		next := *k
		if err = decoder.Decode(&next); err == nil {
			*k = next
		}
	})
	answerControl(w, err)
}

// take uses up one of the calls for which a knob is set.
func take(left *int) bool {
	if *left <= 0 {
		return false
	}
	*left--
	return true
}
