// Package bench tests `panshi bench` as a whole, on both engines and shortly:
// that every scenario is there, works without an error and can be compared.
// It does not judge speed; a busy machine would. What it does judge is work:
// the instructions and allocations of the hot operations, which repeat where
// times do not, against the budgets in budget.json.
package bench
