package main

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
	"github.com/career-relay/connector/store"
)

func userCommand(s *settings) *cobra.Command {
	return noun(
		"user", "Accounts of the console and the API",
		userAdd(s), userList(s), userRole(s), userLink(s), userToken(s),
		userDeed(s, "disable", "Switch an account off: its sessions end, its tokens stop working", "switched off", (*store.Store).DisableUser),
		userDeed(s, "enable", "Switch an account on again", "switched on", (*store.Store).EnableUser),
		userDeed(s, "reset-factor", "Take away the second factor of somebody who lost it", "without a second factor", (*store.Store).ResetFactor),
	)
}

func userAdd(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "add NAME", Short: "Make an account, or set its password and role; the password is read from standard input", Args: cobra.ExactArgs(1),
		Example: "  careerrelay user add hana --role operator < password.txt\n  careerrelay user add ken --role recruiter --company acme",
	}
	role := c.Flags().String("role", string(record.Operator), "recruiter, viewer, operator or admin")
	company := c.Flags().String("company", "", "the one company that a recruiter sees")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if terminal(cmd.OutOrStdout()) {
			cmd.PrintErrln("password (at least 10 characters, shown as you type):")
		}
		password, err := secondOrStdin(cmd, args)
		if err != nil {
			return err
		}
		u, err := db.SaveUser(cmd.Context(), caller(), record.User{Name: args[0], Role: record.Role(*role), Company: *company}, password)
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
			{"company", func(u record.User) string { return cmp.Or(u.Company, "-") }},
			{"second factor", func(u record.User) string { return yes(u.Factor) }},
			{"provider", func(u record.User) string { return cmp.Or(u.Provider, "-") }},
			{"since", func(u record.User) string { return clock(u.CreatedAt) }},
			{"last login", func(u record.User) string { return clock(u.LoginAt) }},
			{"on", func(u record.User) string { return yes(!u.Disabled) }},
		})
	})
	return c
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func userRole(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "role NAME ROLE", Short: "Give an account another role; its sessions end", Args: cobra.ExactArgs(2)}
	company := c.Flags().String("company", "", "the one company that a recruiter sees")
	reason := reasonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if err := db.ChangeRole(cmd.Context(), caller(), args[0], record.Role(args[1]), *company, *reason); err != nil {
			return err
		}
		cmd.Printf("%s is %s\n", args[0], args[1])
		return nil
	})
	return c
}

func userLink(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "link NAME", Short: "Let an account with a password sign in through the identity provider from now on", Args: cobra.ExactArgs(1),
		Long: "Without this, somebody whom the provider knows by the name of an account with a password\nis not let in: they may be two people.",
	}
	issuer := c.Flags().String("issuer", "", "access.oidc.issuer of relay.yaml (required)")
	reason := reasonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if *issuer == "" {
			return ats.Errorf(ats.Invalid, "--issuer: required")
		}
		if err := db.LinkUser(cmd.Context(), caller(), args[0], *issuer, *reason); err != nil {
			return err
		}
		cmd.Printf("%s signs in through %s\n", args[0], *issuer)
		return nil
	})
	return c
}

// A deed does something to one account, for a reason.
type deed func(db *store.Store, ctx context.Context, actor record.Actor, name, reason string) error

// userDeed is a verb that does something to one account.
func userDeed(s *settings, verb, short, done string, do deed) *cobra.Command {
	c := &cobra.Command{Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1)}
	reason := reasonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if err := do(db, cmd.Context(), caller(), args[0], *reason); err != nil {
			return err
		}
		cmd.Printf("%s is %s\n", args[0], done)
		return nil
	})
	return c
}

func sessionCommand(s *settings) *cobra.Command {
	list := &cobra.Command{Use: "list [USER]", Short: "List who is signed in to the console", Args: cobra.MaximumNArgs(1)}
	asJSON := jsonFlag(list)
	list.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		user := ""
		if len(args) > 0 {
			user = args[0]
		}
		sessions, err := db.Sessions(cmd.Context(), user, "", access.Settings{}.Life())
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, sessions, []column[record.Session]{
			{"id", func(r record.Session) string { return r.ID }},
			{"user", func(r record.Session) string { return r.User }},
			{"from", func(r record.Session) string { return cmp.Or(r.Agent, "-") }},
			{"since", func(r record.Session) string { return clock(r.CreatedAt) }},
			{"last used", func(r record.Session) string { return clock(r.SeenAt) }},
			{"ends", func(r record.Session) string { return clock(r.ExpiresAt) }},
		})
	})
	end := &cobra.Command{Use: "end USER", Short: "Sign somebody out everywhere, or with --id out of one place", Args: cobra.ExactArgs(1)}
	id := end.Flags().String("id", "", "only this session")
	reason := reasonFlag(end)
	end.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		var err error
		if *id != "" {
			err = db.EndSession(cmd.Context(), caller(), *id, args[0])
		} else {
			err = db.EndSessions(cmd.Context(), caller(), args[0], "", *reason)
		}
		if err != nil {
			return err
		}
		cmd.Printf("%s is signed out\n", args[0])
		return nil
	})
	return noun("session", "Who is signed in to the console", list, end)
}

func tokenCommand(s *settings) *cobra.Command {
	list := &cobra.Command{Use: "list [USER]", Short: "List the API tokens, without what they are", Args: cobra.MaximumNArgs(1)}
	asJSON := jsonFlag(list)
	list.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		user := ""
		if len(args) > 0 {
			user = args[0]
		}
		tokens, err := db.Tokens(cmd.Context(), user)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), *asJSON, tokens, []column[record.Token]{
			{"id", func(k record.Token) string { return k.ID }},
			{"user", func(k record.Token) string { return k.User }},
			{"name", func(k record.Token) string { return k.Name }},
			{"role", func(k record.Token) string { return string(k.Role) }},
			{"scopes", func(k record.Token) string { return string(k.Scopes) }},
			{"company", func(k record.Token) string { return cmp.Or(k.Company, "-") }},
			{"last used", func(k record.Token) string { return cmp.Or(k.UsedOn, "-") }},
			{"ends", func(k record.Token) string { return clock(k.ExpiresAt) }},
			{"revoked", func(k record.Token) string { return clock(k.RevokedAt) }},
		})
	})
	revoke := &cobra.Command{Use: "revoke ID", Short: "End a token", Args: cobra.ExactArgs(1)}
	reason := reasonFlag(revoke)
	revoke.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		if err := db.RevokeToken(cmd.Context(), caller(), args[0], "", *reason); err != nil {
			return err
		}
		cmd.Println("revoked")
		return nil
	})
	return noun("token", "API tokens", tokenMake(s, "add"), list, revoke)
}

// userToken is token add by its older name.
func userToken(s *settings) *cobra.Command { return tokenMake(s, "token") }

func tokenMake(s *settings, use string) *cobra.Command {
	c := &cobra.Command{
		Use: use + " USER NAME", Short: "Make an API token for an account; it is printed once", Args: cobra.ExactArgs(2),
		Example: "  careerrelay token add hana nightly-report --scope read --company acme --days 90",
	}
	k := record.Token{}
	role := c.Flags().String("role", "", "at most the account's role (default: the same)")
	c.Flags().StringVar(&k.Company, "company", "", "the only company that it sees (default: what the account sees)")
	scope := c.Flags().String("scope", "", "read, write, reveal, admin; several with commas (default: what the role allows)")
	days := c.Flags().Int("days", 0, "for how many days (default: until it is revoked)")
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		k.User, k.Name, k.Role, k.Scopes = args[0], args[1], record.Role(*role), access.Scopes(*scope)
		if *days < 0 || *days > 3650 {
			return ats.Errorf(ats.Invalid, "--days: %s is not from 1 to 3650", strconv.Itoa(*days))
		}
		if *days > 0 {
			k.ExpiresAt = db.Now().Add(time.Duration(*days) * 24 * time.Hour)
		}
		token, err := db.MakeToken(cmd.Context(), caller(), k)
		if err != nil {
			return err
		}
		cmd.Println(token)
		return nil
	})
	return c
}
