package table

import "io"

// Unpacked reads what a part of a workbook unpacks to.
func Unpacked(in io.Reader) io.Reader { return &bounded{in: in} }
