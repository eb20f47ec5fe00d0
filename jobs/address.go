package jobs

import (
	"cmp"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/career-relay/connector/ats"
)

const sentinelScheme = "redis-sentinel://"

// parseAddress reads REDIS_URL. No error quotes it: it may hold a password.
func parseAddress(address string) (*redis.UniversalOptions, error) {
	o := &redis.UniversalOptions{
		PoolSize: 64, DialTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, ContextTimeoutEnabled: true,
		// The probing would only cost a command that older servers refuse.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if strings.HasPrefix(address, sentinelScheme) {
		return o, parseSentinel(address, o)
	}
	p, err := redis.ParseURL(address)
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "REDIS_URL is not an address; write redis://host:6379/0, rediss://host:6379/0 or redis-sentinel://host1:26379,host2:26379/master/0")
	}
	o.Addrs, o.DB, o.Username, o.Password, o.TLSConfig, o.Protocol = []string{p.Addr}, p.DB, p.Username, p.Password, p.TLSConfig, p.Protocol
	o.PoolSize, o.DialTimeout = cmp.Or(p.PoolSize, o.PoolSize), cmp.Or(p.DialTimeout, o.DialTimeout)
	o.ReadTimeout, o.WriteTimeout = cmp.Or(p.ReadTimeout, o.ReadTimeout), cmp.Or(p.WriteTimeout, o.WriteTimeout)
	return o, nil
}

// parseSentinel reads redis-sentinel://user:password@host1:26379,host2:26379/master/0.
// The sentinels' own password stands in the query as sentinel_password.
func parseSentinel(address string, o *redis.UniversalOptions) error {
	rest, _ := strings.CutPrefix(address, sentinelScheme)
	path := strings.IndexAny(rest, "/?")
	if path < 0 {
		path = len(rest)
	}
	at := strings.LastIndex(rest[:path], "@") + 1
	hosts := rest[at:path] // no URL has several, so they are taken out
	u, err := url.Parse(sentinelScheme + rest[:at] + "hosts" + rest[path:])
	if err != nil || hosts == "" {
		return ats.Errorf(ats.Invalid, "REDIS_URL is not an address; write redis-sentinel://host1:26379,host2:26379/master/0")
	}
	master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		return ats.Errorf(ats.Invalid, "REDIS_URL names no master; write redis-sentinel://host1:26379,host2:26379/master/0")
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !strings.Contains(host, ":") {
			host += ":26379"
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			return ats.Errorf(ats.Invalid, "REDIS_URL: %q is not a host with its port", host)
		}
		o.Addrs = append(o.Addrs, host)
	}
	o.MasterName, o.Username = master, u.User.Username()
	o.Password, _ = u.User.Password()
	o.SentinelUsername, o.SentinelPassword = u.Query().Get("sentinel_username"), u.Query().Get("sentinel_password")
	if db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil {
			return ats.Errorf(ats.Invalid, "REDIS_URL: %q is not the number of a database", db)
		}
	}
	return nil
}
