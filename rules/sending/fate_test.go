package sending

import "testing"

func TestFate(t *testing.T) {
	tests := map[string]struct {
		fate                Fate
		bounces, complaints bool
	}{
		"nothing was sent":                    {},
		"all is well":                         {fate: Fate{Accepted: 200, Delivered: 200}},
		"five of a hundred bounce":            {fate: Fate{Accepted: 100, Bounced: 5}},
		"six of a hundred bounce":             {fate: Fate{Accepted: 100, Bounced: 6}, bounces: true},
		"ten of the window bounce":            {fate: Fate{Accepted: 200, Bounced: 10}},
		"eleven of the window bounce":         {fate: Fate{Accepted: 200, Bounced: 11}, bounces: true},
		"all of too few bounce":               {fate: Fate{Accepted: 49, Bounced: 49}},
		"three of the least sample bounce":    {fate: Fate{Accepted: 50, Bounced: 3}, bounces: true},
		"one of the window complains":         {fate: Fate{Accepted: 200, Delivered: 200, Complained: 1}, complaints: true},
		"one of the least sample complains":   {fate: Fate{Accepted: 200, Delivered: 50, Complained: 1}, complaints: true},
		"one complains, few reports are here": {fate: Fate{Accepted: 200, Delivered: 49, Complained: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, got := test.fate.Bounces(); got != test.bounces {
				t.Errorf("bounces: got %t, want %t", got, test.bounces)
			}
			if _, got := test.fate.Complaints(); got != test.complaints {
				t.Errorf("complaints: got %t, want %t", got, test.complaints)
			}
		})
	}
	if cause, _ := (Fate{Accepted: 50, Bounced: 3}).Bounces(); cause != "bounced: 3 of 50" {
		t.Errorf("cause: %q", cause)
	}
}
