// Package storefront is the shop that a buyer sees: pages rendered on the
// server, in zh-CN and en, that work without JavaScript up to payment and for
// reading the key. It holds no business rules: it asks the services that it is
// given and shows their answers.
//
// What holds on every page: nothing is loaded from another origin, there is no
// inline script or style, every text comes from the catalogue, and what only
// one buyer may see is sent with "no-store". A key is shown in the answer to a
// POST and nowhere else. The token that opens an order lives in a cookie whose
// path is that order; it never stands in a URL or in a log.
//
// Small ES modules in assets/ add what a page can do without: a live payment
// status, copy buttons, times in the reader's zone.
package storefront
