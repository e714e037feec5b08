// Package ledger keeps the books: double entry, append-only. An entry has two
// or more legs that sum to zero in each currency; a balance is the sum of an
// account's postings, and `panshi check` adds them up again.
//
// Old postings are archived, with a kept sum for each account and month;
// entries never are: one kind of booking for one subject is unique for ever.
//
// Accounts are text: "provider/<payment account>" (money at a platform),
// "sales", "suspense" (money that does not fit an order), "refunds_due" (money
// promised back), "credit/<number>" (what the shop owes to
// a credit account) and "credit_granted" (what was granted there). Money that does not fit goes from suspense to sales when a
// person accepts it; a refund that the platform refuses is booked back.
// "adjustments" has the other side of what a person booked to make a day agree
// with the platform's bill, "fees" what platforms keep.
package ledger
