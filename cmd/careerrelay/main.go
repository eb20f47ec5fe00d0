// Command careerrelay turns rejections in applicant tracking systems into
// thank-you mails, next chances and statistics that identify nobody.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // companies have zones, a container may have no table of them

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit codes.
const (
	exitDone   = 0
	exitOutage = 1
	exitInput  = 2
)

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), in io.Reader, out, errOut io.Writer) int {
	root := newRoot(lookup)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exitDone
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, _ = fmt.Fprintln(errOut, "careerrelay:", line)
	}
	return exitCode(err)
}

// exitCode translates an error: wrong input is the caller's to repair, an
// outage passes or is ours.
func exitCode(err error) int {
	switch ats.FaultOf(err) {
	case ats.Invalid, ats.NotFound, ats.Conflict, ats.TooLarge, ats.Denied:
		return exitInput
	default:
		return exitOutage
	}
}

func newRoot(lookup func(string) (string, bool)) *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:   "careerrelay",
		Short: "Rejections in the ATS become thanks, a next chance and insight",
		Long: `careerrelay hears rejections in applicant tracking systems, thanks the candidates,
opens a door for them and keeps the account of introductions.

Start with: careerrelay demo`,
		Version: version, SilenceUsage: true, SilenceErrors: true,
		// A wrong word is the caller's to repair; cobra itself would be silent about it.
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return ats.Errorf(ats.Invalid, "%q is not a command; see careerrelay help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return ats.Errorf(ats.Invalid, "%w; see %s --help", err, cmd.CommandPath())
	})
	s.bind(root.PersistentFlags(), lookup)
	root.AddCommand(
		serveCommand(s), demoCommand(s), migrateCommand(s), backupCommand(s), restoreCommand(s), configCommand(s), vendorCommand(s), simulateCommand(s),
		deliveryCommand(s), applicationCommand(s), jobCommand(s), batchCommand(s), mailCommand(s), consentCommand(s),
		personCommand(s), referralCommand(s), creditCommand(s), alertCommand(s), brakeCommand(s), auditCommand(s), userCommand(s), tokenCommand(s), sessionCommand(s), doctorCommand(s), importCommand(s),
	)
	for _, c := range root.Commands() {
		checkArgs(c)
	}
	return root
}

// checkArgs gives every command's complaint about its arguments the fault of
// wrong input.
func checkArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		checkArgs(sub)
	}
	check := c.Args
	if check == nil {
		check = func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%q is one word too many", args[0])
			}
			return nil
		}
		if c.HasSubCommands() {
			check = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return fmt.Errorf("%q is not a command of %s; see its --help", args[0], cmd.CommandPath())
				}
				return nil
			}
		}
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return ats.Errorf(ats.Invalid, "%w; write: %s", err, strings.TrimSuffix(cmd.UseLine(), " [flags]"))
		}
		return nil
	}
	if c.HasSubCommands() && c.RunE == nil {
		c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
}

// noun makes the command of a noun from those of its verbs.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(verbs...)
	return c
}
