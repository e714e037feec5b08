// Package torture kills the shop and looks whether it kept its promises: at
// random moments under load, and, in a build with the tag faultpoints, at every
// point between two steps that must be atomic or resumable. With that tag it
// also tells payments by every channel 0 to 16 times while the shop dies, and
// reconciles the day on the next one, to which the clocks of that build can be
// moved.
//
// PANSHI_TORTURE=long runs the long forms, PANSHI_SEED=n repeats a run. 10,000
// payments instead of 500:
//
//	PANSHI_TORTURE=long go test -tags faultpoints -timeout 60m -run TestNotificationsUnderKill -v ./test/torture
package torture
