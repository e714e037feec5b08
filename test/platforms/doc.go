// Package platforms has the shop's clients of payment platforms talk to the
// sandbox, which shares no code with them. What one of the two understands
// wrongly shows here: both would have to be wrong alike.
package platforms
