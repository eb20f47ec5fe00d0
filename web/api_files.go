package web

import (
	"context"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// fileBody stands where a body has a schema, for a file.
const fileBody = "file"

// fileRoutes are the verbs of exported files.
func (k *desk) fileRoutes() []apiRoute {
	return []apiRoute{
		{
			method: http.MethodPost, path: "/companies/{id}/files", id: "uploadFile", role: record.Operator, query: []string{"connection", "preset", "sheet"},
			body: fileBody, answer: "Upload", summary: "Upload an exported file (CSV, TSV or XLSX); it waits a day for its import", do: k.takeFile,
		},
		{
			method: http.MethodGet, path: "/companies/{id}/files", id: "listFiles", role: record.Operator, answer: "Upload", list: true,
			summary: "The files that wait for their import", do: func(c *gin.Context, _ record.Actor) (any, error) {
				if _, err := k.Tenants(c.Request.Context()).Company(c.Param("id")); err != nil {
					return nil, err
				}
				all, err := k.Files.Uploads(c.Request.Context(), c.Param("id"))
				return rows[record.Upload]{Items: append([]record.Upload{}, all...)}, err
			},
		},
		{
			method: http.MethodGet, path: "/companies/{id}/presets", id: "listPresets", role: record.Operator, answer: "Preset", list: true,
			summary: "What the company explained about its files", do: func(c *gin.Context, _ record.Actor) (any, error) {
				if _, err := k.Tenants(c.Request.Context()).Company(c.Param("id")); err != nil {
					return nil, err
				}
				all, err := k.Files.Presets(c.Request.Context(), c.Param("id"))
				return rows[record.Preset]{Items: append([]record.Preset{}, all...)}, err
			},
		},
		{
			method: http.MethodGet, path: "/files/{id}", id: "previewFile", role: record.Operator, query: []string{"verdict", "include_old"}, answer: "FilePreview",
			summary: "What an import would make of every row, and why; nothing is kept", do: func(c *gin.Context, _ record.Actor) (any, error) {
				return k.previewFile(c.Request.Context(), c.Param("id"), look{verdict: c.Query("verdict"), old: c.Query("include_old") == "true"})
			},
		},
		{
			method: http.MethodPost, path: "/files/{id}/explain", id: "explainFile", role: record.Operator, body: "Explanation", answer: "Preset",
			summary: "Explain labels and columns; it is saved as a preset of the company", do: k.explainFile,
		},
		{
			method: http.MethodPost, path: "/files/{id}/import", id: "importFile", role: record.Operator, body: "Import", answer: "Imported",
			summary: "Keep the rows; their mails wait until a person releases them", do: k.importPosted,
		},
		because("/files/{id}/drop", "dropFile", "Upload", "Delete a file that waits", func(ctx context.Context, who record.Actor, id, reason string) (record.Upload, error) {
			if _, err := record.NeedReason(reason); err != nil {
				return record.Upload{}, err
			}
			return k.dropFile(ctx, who, id, reason)
		}),
	}
}

// filesPath is where files are uploaded, in the console and below apiBase.
const filesPath = "/companies/:id/files"

func (k *desk) takeFile(c *gin.Context, who record.Actor) (any, error) {
	content, err := io.ReadAll(io.LimitReader(c.Request.Body, maxFile+1))
	switch {
	case len(content) > maxFile:
		return nil, ats.Errorf(ats.TooLarge, "the file has more than %d MiB; take it in with careerrelay import run", maxFile>>20)
	case err != nil:
		return nil, ats.Errorf(ats.Invalid, "the body broke off")
	}
	u := record.Upload{Company: c.Param("id"), Connection: c.Query("connection"), Preset: c.Query("preset"), Sheet: c.Query("sheet")}
	return k.upload(c.Request.Context(), who, u, content)
}

func (k *desk) explainFile(c *gin.Context, who record.Actor) (any, error) {
	var body struct {
		Name      string            `json:"name"`
		Encoding  string            `json:"encoding"`
		Delimiter string            `json:"delimiter"`
		Header    int               `json:"header"`
		Columns   map[string]string `json:"columns"`
		Outcomes  map[string]string `json:"outcomes"`
	}
	if err := readJSON(c, &body); err != nil {
		return nil, err
	}
	p := record.Preset{Name: body.Name, Encoding: body.Encoding, Delimiter: body.Delimiter, Header: body.Header, Columns: body.Columns, Outcomes: body.Outcomes}
	return k.explain(c.Request.Context(), who, c.Param("id"), p)
}

func (k *desk) importPosted(c *gin.Context, who record.Actor) (any, error) {
	var body struct {
		Reason     string `json:"reason"`
		IncludeOld bool   `json:"include_old"`
	}
	if err := readJSON(c, &body); err != nil {
		return nil, err
	}
	patient(c)
	return k.importFile(c.Request.Context(), who, c.Param("id"), body.Reason, body.IncludeOld)
}
