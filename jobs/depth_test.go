package jobs

import (
	"slices"

	"github.com/hibiken/asynq"

	"github.com/career-relay/connector/ats"
)

// Depth is how much of a queue is in Redis.
type Depth struct{ Pending, Active, Retry, Archived int }

// Depths looks into Redis. Archived is zero unless something of ours is wrong.
func (c *Courier) Depths() (map[string]Depth, error) {
	inspector := asynq.NewInspectorFromRedisClient(c.send)
	known, err := inspector.Queues()
	if err != nil {
		return nil, ats.Errorf(ats.Busy, "looking into redis: %w", err)
	}
	out := map[string]Depth{}
	for _, p := range pools {
		if !slices.Contains(known, p.queue) { // nothing was ever put in
			out[p.queue] = Depth{}
			continue
		}
		info, err := inspector.GetQueueInfo(p.queue)
		if err != nil {
			return nil, ats.Errorf(ats.Busy, "looking into redis: %w", err)
		}
		out[p.queue] = Depth{Pending: info.Pending, Active: info.Active, Retry: info.Retry, Archived: info.Archived}
	}
	return out, nil
}
