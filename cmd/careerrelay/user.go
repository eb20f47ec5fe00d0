package main

import (
	"github.com/spf13/cobra"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store"
)

func userCommand(s *settings) *cobra.Command {
	return noun("user", "Accounts of the console and the API", userAdd(s), userList(s), userToken(s))
}

func userAdd(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "add NAME", Short: "Make an account, or set its password and role; the password is read from standard input", Args: cobra.ExactArgs(1),
		Example: "  careerrelay user add hana --role operator < password.txt",
	}
	role := c.Flags().String("role", string(record.Operator), "viewer, operator or admin")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if terminal(cmd.OutOrStdout()) {
			cmd.PrintErrln("password (at least 10 characters, shown as you type):")
		}
		password, err := secondOrStdin(cmd, args)
		if err != nil {
			return err
		}
		u, err := db.AddUser(cmd.Context(), caller(), args[0], password, record.Role(*role))
		if err != nil {
			return err
		}
		cmd.Printf("%s can sign in as %s\n", u.Name, u.Role)
		return nil
	})
	return c
}

func userList(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the accounts"}
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, _ []string, db *store.Store) error {
		users, err := db.Users(cmd.Context())
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, users, []column[record.User]{
			{"name", func(u record.User) string { return u.Name }},
			{"role", func(u record.User) string { return string(u.Role) }},
			{"since", func(u record.User) string { return clock(u.CreatedAt) }},
		})
	})
	return c
}

func userToken(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "token USER NAME", Short: "Make an API token for an account; it is printed once", Args: cobra.ExactArgs(2)}
	role := c.Flags().String("role", "", "at most the account's role (default: the same)")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		token, err := db.AddToken(cmd.Context(), caller(), args[0], args[1], record.Role(*role))
		if err != nil {
			return err
		}
		cmd.Println(token)
		return nil
	})
	return c
}
