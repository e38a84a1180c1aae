package boxservice

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// share gives an item a shared link, takes it away (null), or leaves it as it is
// (nothing).
func (i *item) share(wanted json.RawMessage) *failure {
	if len(wanted) == 0 {
		return nil
	}
	if bytes.Equal(wanted, []byte("null")) {
		i.shared = ""
		return nil
	}
	var link struct {
		Access string `json:"access"`
	}
	if err := json.Unmarshal(wanted, &link); err != nil {
		return badRequest("shared_link is not valid")
	}
	switch link.Access {
	case "":
		link.Access = "open"
	case "open", "company", "collaborators":
	default:
		return fail(http.StatusBadRequest, "bad_request", "access is none of open, company, collaborators")
	}
	i.shared = link.Access
	return nil
}

// sharedLink is the form of a shared link; nil: there is none.
func (i *item) sharedLink() any {
	if i.shared == "" {
		return nil
	}
	link := map[string]any{
		"url": "https://app.box.com/s/" + i.id, "download_url": nil, "vanity_url": nil, "vanity_name": nil,
		"access": i.shared, "effective_access": i.shared, "effective_permission": "can_download",
		"is_password_enabled": false, "unshared_at": nil, "download_count": 0, "preview_count": 0,
		"permissions": map[string]any{"can_download": true, "can_preview": true, "can_edit": false},
	}
	if i.isFile() {
		link["download_url"] = "https://app.box.com/shared/static/" + i.id
	}
	return link
}
