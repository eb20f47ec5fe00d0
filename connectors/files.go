package connectors

import "embed"

// Files holds a folder for every vendor that is part of the program: its
// connector.yaml, its README.md and its samples, which simulations and the demo
// play. A new folder is found by itself.
//
//go:embed */connector.yaml */README.md */testdata/*
var Files embed.FS
