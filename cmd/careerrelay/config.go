package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
)

func configCommand(s *settings) *cobra.Command {
	return noun("config", "The companies' files", configCheck(s), configShow(s), configSchema(), configInit())
}

func configCheck(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "check [DIR]", Short: "Report every problem in the companies' files, with file and line",
		Args: cobra.MaximumNArgs(1), Example: "  careerrelay config check ./configs",
	}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			s.configs = args[0]
		}
		tenants, err := openTenants(s, nil)
		if err != nil {
			return err
		}
		all := append(tenants.Status(), tenants.SharedStatus())
		if *asJSON {
			if err := printJSON(cmd.OutOrStdout(), all); err != nil {
				return err
			}
		}
		var problems []string
		for _, st := range all {
			problems = append(problems, st.Errors...)
		}
		if len(problems) > 0 {
			return ats.Errorf(ats.Invalid, "%s", strings.Join(problems, "\n"))
		}
		if !*asJSON {
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "companies: %d, no problems\n", len(tenants.Companies()))
		}
		return nil
	}
	return c
}

func configShow(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "show COMPANY", Short: "Show a company's effective settings and where each comes from; secrets stay hidden", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		tenants, err := openTenants(s, nil)
		if err != nil {
			return err
		}
		values, err := tenants.Effective(args[0])
		if err != nil {
			return whyMissing(tenants, args[0], err)
		}
		return printList(cmd.OutOrStdout(), *asJSON, values, []column[configs.Value]{
			{"key", func(v configs.Value) string { return v.Key }},
			{"value", func(v configs.Value) string { return v.Value }},
			{"from", func(v configs.Value) string { return v.From }},
		})
	}
	return c
}

// whyMissing says why a company is not in force, if its file says so.
func whyMissing(tenants *configs.Tenants, id string, err error) error {
	for _, st := range tenants.Status() {
		if st.Company == id && len(st.Errors) > 0 {
			return ats.Errorf(ats.Invalid, "%s", strings.Join(st.Errors, "\n"))
		}
	}
	return err
}

func configSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of a company's file, for editors",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(configs.Schema())
			return err
		},
	}
}

func configInit() *cobra.Command {
	return &cobra.Command{
		Use: "init NAME", Short: "Print a commented file for a new company", Args: cobra.ExactArgs(1),
		Example: "  careerrelay config init acme > configs/acme.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := configs.Init(args[0])
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
