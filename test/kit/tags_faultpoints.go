//go:build faultpoints

package kit

// buildTags are the tags that the program under test is built with.
const buildTags = "faultpoints"
