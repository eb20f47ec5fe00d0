package mailtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// logs answers the Email Logs API: a search by address, and one mail with its
// custom arguments.
func (s *SendGrid) logs(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+string(Key) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	mails := s.Mails()
	id := strings.TrimPrefix(r.URL.Path, "/v3/logs/")
	if r.Method == http.MethodGet {
		i := slices.IndexFunc(mails, func(m Mail) bool { return m.MessageID == id })
		if i < 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"sg_message_id": id, "to_email": mails[i].To, "custom_args": mails[i].Args})
		return
	}
	var search struct{ Query string }
	if err := json.NewDecoder(r.Body).Decode(&search); err != nil || !strings.Contains(search.Query, "sg_message_id_created_at >= TIMESTAMP \"") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	found := []map[string]string{}
	for _, m := range mails {
		if strings.HasPrefix(search.Query, "to_email = '"+m.To+"' AND ") {
			found = append(found, map[string]string{"sg_message_id": m.MessageID, "to_email": m.To})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"messages": found})
}
