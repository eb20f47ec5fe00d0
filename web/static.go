package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"

	"github.com/gin-gonic/gin"
)

// files holds what the pages are made of.
//
//go:embed static templates
var files embed.FS

// An asset is a static file. Its address carries the hash of its content, so
// browsers may keep it for good and still see every change.
type asset struct {
	name string // "candidate.css"
	kind string // content type
	body []byte
	hash string
}

// kinds are the types of the static files; a file of another type is not
// served.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets reads static files by name. A name that does not exist is a mistake
// in the program; it has no content then, which the tests notice.
func assets(names ...string) map[string]asset {
	all := map[string]asset{}
	for _, name := range names {
		body, err := files.ReadFile("static/" + name)
		if err != nil {
			continue
		}
		sum := sha256.Sum256(body)
		all[name] = asset{name: name, kind: kinds[path.Ext(name)], body: body, hash: hex.EncodeToString(sum[:6])}
	}
	return all
}

// url returns the address of a.
func (a asset) url() string { return "/static/" + a.name + "?v=" + a.hash }

// serveAssets answers /static/NAME with one of all and nothing else.
func serveAssets(all map[string]asset) gin.HandlerFunc {
	return func(c *gin.Context) {
		a, ok := all[c.Param("name")]
		if !ok {
			c.String(http.StatusNotFound, "no such file\n")
			return
		}
		c.Header("X-Content-Type-Options", "nosniff")
		tag := `"` + a.hash + `"`
		c.Header("ETag", tag)
		c.Header("Cache-Control", "no-cache")
		if c.Query("v") == a.hash {
			c.Header("Cache-Control", "public, max-age=31536000, immutable")
		}
		if c.GetHeader("If-None-Match") == tag {
			c.Status(http.StatusNotModified)
			return
		}
		c.Data(http.StatusOK, a.kind, a.body)
	}
}
