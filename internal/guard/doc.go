// Package guard keeps the shop standing when more is asked of it than it can
// give. It limits how often one key (an address, an account) may use a class
// of routes, and it bounds the work under way by priority, so that reports are
// shed before browsing, and browsing before money and delivery.
//
// A Guard implements web.Limiter and web.Shedder and is given to the route
// table; a handler that limits by something else than the address calls Allow
// itself:
//
//	g, err := guard.New(cfg, clock.System{})
//	mux, err := web.NewMux(webConfig, g, g, fallback)
//
//	if ok, after := g.Allow(web.LimitSignIn, "account:"+name); !ok {
//		return web.RetryAfter(errs.New(errs.TooMany, "rate_limited", "too many requests"), after)
//	}
//
// A Bulkhead is the database as those see it who look around: they get a share
// of its readers, and orders the rest.
//
// Memory is bounded: at most Config.MaxKeys keys are remembered, the longest
// unused is forgotten first, and a key unused for so long that its allowance
// is full again is forgotten anyway. There is no goroutine and no timer.
//
// Config.Limits "off" lifts the rate limits, for load tests on loopback. It
// does not lift the bound on work under way.
package guard
