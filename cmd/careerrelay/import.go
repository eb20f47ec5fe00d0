package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/store"
)

func importCommand(s *settings) *cobra.Command {
	return noun("import", "Exported files (CSV, TSV, XLSX) of systems without a webhook", importPreview(s), importRun(s))
}

// importFlags say which file goes where.
type importFlags struct {
	company, connection, vendor, sheet, preset string
	old                                        bool
	json                                       *bool
}

func importFlag(c *cobra.Command) *importFlags {
	f := &importFlags{json: jsonFlag(c)}
	c.Args = cobra.ExactArgs(1)
	c.Flags().StringVar(&f.company, "company", "", "the company (required)")
	c.Flags().StringVar(&f.connection, "connection", "", "the company's connection that the file belongs to (required)")
	c.Flags().StringVar(&f.vendor, "vendor", "", "the product that wrote the file, for a connection that is not set up yet (preview only)")
	c.Flags().StringVar(&f.sheet, "sheet", "", "the sheet of a workbook with several")
	c.Flags().StringVar(&f.preset, "preset", "", "what the company explained about such files in the console, by its name")
	c.Flags().BoolVar(&f.old, "include-old", false, "also take in decisions older than the company's max_age; their mails wait with a reason of their own")
	return f
}

// An importFile is a file that is open for one connection.
type importFile struct {
	*os.File
	name   string
	intake *intake.Intake
}

// open opens the file of a command.
func (f *importFlags) open(ctx context.Context, s *settings, db *store.Store, path string) (*importFile, error) {
	if f.company == "" || f.connection == "" {
		return nil, ats.Errorf(ats.Invalid, "--company and --connection: required")
	}
	tenants, err := openTenants(s, nil)
	if err != nil {
		return nil, err
	}
	company, err := inForce(tenants, f.company)
	if err != nil {
		return nil, err
	}
	conn, vendor, err := f.connect(company, s.publicURL)
	if err != nil {
		return nil, err
	}
	preset, err := intake.FindPreset(ctx, db, f.company, f.preset)
	if err != nil {
		return nil, err
	}
	if conn, err = conn.With(intake.By(preset)); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, ats.Errorf(ats.NotFound, "%w", err)
	}
	in := &intake.Intake{Company: company, Connection: f.connection, Vendor: vendor, Conn: conn, Store: db, Old: f.old, Now: db.Now()}
	if err := in.Open(file, f.sheet); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &importFile{File: file, name: path, intake: in}, nil
}

// connect opens the connection, or as a preview of one that is not there yet
// the vendor.
func (f *importFlags) connect(company *configs.Company, base string) (*spec.Tabular, string, error) {
	own, ok := company.Connections[f.connection]
	if !ok && f.vendor == "" {
		return nil, "", ats.Errorf(ats.NotFound, "%s has no connection %s; write into its file: connections: {%s: {vendor: csv}}, or look at the file with --vendor first", company.ID, f.connection, f.connection)
	}
	var conn connectors.Connector
	var err error
	vendor := own.Vendor
	opener := newOpener(http.DefaultClient, nil, base)
	switch {
	case ok && f.vendor != "" && f.vendor != vendor:
		return nil, "", ats.Errorf(ats.Conflict, "--vendor: %s/%s is a connection to %s", company.ID, f.connection, vendor)
	case ok:
		conn, err = opener.make(company, f.connection)
	default:
		vendor = f.vendor
		factory := all.Factories()[vendor]
		if factory == nil {
			return nil, "", ats.Errorf(ats.NotFound, "--vendor: %q is not known; see careerrelay vendor list", vendor)
		}
		conn, err = factory(opener.env, func(any) error { return nil })
	}
	if err != nil {
		return nil, "", err
	}
	if t, ok := conn.(*spec.Tabular); ok {
		return t, vendor, nil
	}
	return nil, "", ats.Errorf(ats.Invalid, "%s is not imported from files; use a connection to the product that wrote the file, or to csv", vendor)
}

func importRun(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "run FILE", Short: "Take a file in; its mails wait until a person releases them",
		Long: `Keep the rows of an exported file as deliveries, which the server decodes. The mails
that follow are held: nothing leaves before a person releases the import. Run the
same command again when it was interrupted; rows that were kept stay kept once.`,
		Example: "  careerrelay import run applicants.csv --company acme --connection hrmos --reason 'November rejections'",
	}
	f := importFlag(c)
	reason := reasonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) (err error) {
		if _, err := needReason(*reason); err != nil {
			return err
		}
		file, err := f.open(cmd.Context(), s, db, args[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if _, ok := file.intake.Company.Connections[f.connection]; !ok {
			return ats.Errorf(ats.Conflict, "%s has no connection %s yet: write it into the company's file first; --vendor is for a preview", f.company, f.connection)
		}
		done, err := file.run(cmd.Context(), *reason)
		if err != nil {
			return err
		}
		if *f.json {
			return printJSON(cmd.OutOrStdout(), done)
		}
		return done.print(cmd.OutOrStdout(), file.intake.Company)
	})
	return c
}

// An imported is what an import did and what can be done with it.
type imported struct {
	intake.Kept
	Next []string `json:"next"` // commands
}

// run keeps the rows that mean something.
func (f *importFile) run(ctx context.Context, reason string) (done imported, err error) {
	done.Kept, err = f.intake.Keep(ctx, caller(), reason)
	done.Next = f.next(done)
	return done, err
}

// next lists the commands that go on from here.
func (f *importFile) next(done imported) []string {
	in := f.intake
	of := " --company " + in.Company.ID
	var out []string
	if done.Batch != "" {
		of := of + " --batch " + done.Batch
		out = append(out, "careerrelay mail list"+of, "careerrelay mail release"+of+" --error cold --reason '…' --yes", "careerrelay mail cancel"+of+" --reason '…' --yes")
		if done.Counts[intake.RowUnknown]+done.Counts[intake.RowAmbiguous]+done.Counts[intake.RowUnread] > 0 {
			out = append(out, "careerrelay delivery replay"+of+" --state parked --reason '…' --yes")
		}
	}
	if done.Replay {
		out = append(out, "careerrelay delivery replay"+of+" --connection "+in.Connection+" --state parked --reason '…' --yes")
	}
	return out
}

// print says what was done and what may follow.
func (d *imported) print(w io.Writer, company *configs.Company) error {
	if err := printTally(w, d.Tally); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	switch {
	case d.Batch == "":
		_, _ = fmt.Fprintln(w, "nothing new: no row was kept")
	case d.Resumed:
		_, _ = fmt.Fprintf(w, "batch %s, which had been interrupted: %d more rows kept\n", d.Batch, d.Saved)
	default:
		_, _ = fmt.Fprintf(w, "batch %s: %d rows kept\n", d.Batch, d.Saved)
	}
	if d.Waiting > 0 {
		_, _ = fmt.Fprintf(w, "mails that the server writes and holds until they are released: %d; --error cold leaves out those at which a person must look\n", d.Waiting)
	}
	if company.Sending.Mode != sending.Live {
		_, _ = fmt.Fprintf(w, "%s is in %s: released mails are not sent\n", company.ID, company.Sending.Mode)
	}
	for _, command := range d.Next {
		_, _ = fmt.Fprintln(w, "  "+command)
	}
	return nil
}
