// Package consoleapi is the JSON API of a merchant's staff, on the console
// listener: setting an owner up, sessions, products, card import, orders and
// the hold desk. Its description is served at /console/openapi.json. It holds
// no rules of its own: it reads a request, asks a service and shows the answer.
//
// # Who may
//
// Every row names a permission. A session comes as the cookie panshi_console
// or, for scripts, as a bearer token; the principal that it belongs to carries
// the merchant, and no request can name another one. Objects of other merchants
// do not exist here (404). A request that changes something under a cookie must
// say that it comes from a page of this origin.
//
// Contacts are shown masked; seeing one in clear is an operation of its own
// that leaves a record. Card keys are never shown.
//
// # Pages
//
// GET /app/ is the console (ui/console), one document that asks this API; no
// page knows more than its reader's session may. GET /setup is where the
// one-time link leads. The link's token stands behind the #, which browsers do
// not send, so it is in no log.
package consoleapi
