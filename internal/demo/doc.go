// Package demo fills an empty shop with something to look at and to buy: two
// merchants, 24 products in five categories with pictures of our own, and
// card keys. Brands, texts and keys are fictional; a key is a function of its
// SKU and number and opens nothing anywhere.
//
// Everything comes in by the doors that merchants use: catalogues and card
// files go through package imports. Fill may be repeated and interrupted at
// any point. It never touches a shop that somebody else filled, and leaves
// alone what was changed in a demo shop after it was filled.
package demo
