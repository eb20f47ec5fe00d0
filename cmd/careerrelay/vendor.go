package main

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/mapping"
)

func vendorCommand(s *settings) *cobra.Command {
	return noun("vendor", "The applicant tracking systems that are understood", vendorList(), vendorShow(), vendorFields(), vendorTry(), vendorPoll(s), vendorSubscribe(s), vendorJobs(s))
}

// A vendorView is a vendor as list and show print it.
type vendorView struct {
	Vendor  string   `json:"vendor"`
	Docs    string   `json:"docs"`
	Trust   string   `json:"trust"` // "content"; "token": the sender knows a secret, nothing is signed; "hint": read again by API
	States  []string `json:"states"`
	Samples []string `json:"samples"`
}

func viewVendor(name string) (vendorView, error) {
	s, err := spec.Shipped(name)
	if err != nil {
		return vendorView{}, err
	}
	v := vendorView{Vendor: name, Docs: s.Docs, Trust: s.Trust, States: s.States()}
	switch {
	case v.Trust != "":
	case s.Covers():
		v.Trust = "content"
	default:
		v.Trust = "token"
	}
	v.Samples, err = all.Samples(name)
	return v, err
}

func vendorList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the vendors"}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		var rows []vendorView
		for _, name := range all.Vendors() {
			v, err := viewVendor(name)
			if err != nil {
				return err
			}
			rows = append(rows, v)
		}
		return printList(cmd.OutOrStdout(), *asJSON, rows, []column[vendorView]{
			{"vendor", func(v vendorView) string { return v.Vendor }},
			{"trust", func(v vendorView) string { return v.Trust }},
			{"states", func(v vendorView) string { return strings.Join(v.States, " ") }},
			{"docs", func(v vendorView) string { return v.Docs }},
		})
	}
	return c
}

func vendorShow() *cobra.Command {
	c := &cobra.Command{Use: "show VENDOR", Short: "Show how to set a vendor up, what it sends and which samples exist", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		v, err := viewVendor(args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), v)
		}
		guide, err := fs.ReadFile(connectors.Files, args[0]+"/README.md")
		if err != nil {
			return ats.Errorf(ats.NotFound, "no guide for %s", args[0])
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\nSamples: %s\n", guide, strings.Join(v.Samples, " "))
		return err
	}
	return c
}

func vendorFields() *cobra.Command {
	c := &cobra.Command{Use: "fields", Short: "List the fields that a mapping can fill"}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return printList(cmd.OutOrStdout(), *asJSON, mapping.Fields(), []column[string]{{"field", func(f string) string { return f }}})
	}
	return c
}

func vendorTry() *cobra.Command {
	c := &cobra.Command{
		Use: "try VENDOR|FOLDER SAMPLE", Short: "Decode a payload by a connector and print the events, or what is wrong",
		Long: `Decode a payload by a shipped vendor or by the connector.yaml in a folder, also one
outside this repository. SAMPLE is the name of one of its samples or a file. No
signature is asked for and no API is called. Which rule decided, and which fields
the payload leaves empty, is said on the side.`,
		Args: cobra.ExactArgs(2), Example: "  careerrelay vendor try ./configs/acme-ats payload.json\n  careerrelay vendor try greenhouse rejected",
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		folder, err := connectorFolder(args[0])
		if err != nil {
			return err
		}
		s, err := spec.Load(folder)
		if err != nil {
			return err
		}
		p, err := payloadOf(folder, args[1])
		if err != nil {
			return err
		}
		conn, err := spec.Reader(s)
		if err != nil {
			return err
		}
		if conn.Ping(p) {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the vendor's test delivery: answered with success, no event")
			return err
		}
		if reasons, err := conn.Explain(p); err == nil {
			explain(cmd.ErrOrStderr(), reasons)
		}
		events, err := conn.Decode(p)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "known and ignored: no event")
			return err
		}
		return printJSON(cmd.OutOrStdout(), events)
	}
	return c
}

// explain says which rules decided. It goes to where errors go, so that the
// events stay what a program reads.
func explain(w io.Writer, reasons []mapping.Reason) {
	for i, r := range reasons {
		where := ""
		if len(reasons) > 1 {
			where = fmt.Sprintf("item %d: ", i+1)
		}
		if r.Rule < 0 {
			_, _ = fmt.Fprintf(w, "%s%s\n", where, r.Says)
			continue
		}
		_, _ = fmt.Fprintf(w, "%sevents[%d] applies (%s): when %s\n", where, r.Rule, r.Says, strings.Join(strings.Fields(r.When), " "))
		if len(r.Empty) > 0 {
			_, _ = fmt.Fprintf(w, "%sempty: %s\n", where, strings.Join(r.Empty, " "))
		}
	}
}

// connectorFolder is a shipped vendor or a folder on disk.
func connectorFolder(name string) (fs.FS, error) {
	if slices.Contains(all.Vendors(), name) {
		return fs.Sub(connectors.Files, name)
	}
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return nil, ats.Errorf(ats.NotFound, "%s is neither a vendor nor a folder; see careerrelay vendor list", name)
	}
	return os.DirFS(name), nil
}

// payloadOf is one of the folder's samples, or a file with a body.
func payloadOf(folder fs.FS, name string) (connectors.Payload, error) {
	p, err := spec.Sample(folder, name)
	if ats.FaultOf(err) != ats.NotFound {
		return p, err
	}
	body, fileErr := os.ReadFile(name)
	if fileErr != nil {
		names, _ := spec.Samples(folder)
		return p, ats.Errorf(ats.NotFound, "%s is neither a sample nor a file; have %s", name, strings.Join(names, " "))
	}
	kind := map[string]string{".form": "application/x-www-form-urlencoded", ".xml": "text/xml"}[filepath.Ext(name)]
	if kind == "" {
		kind = "application/json"
	}
	return connectors.Payload{Header: http.Header{"Content-Type": {kind}}, Body: body, Received: stamp()}, nil
}
