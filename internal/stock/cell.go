package stock

import (
	"panshi/internal/id"
	"panshi/internal/vault"
)

// CardCell is the place that a card's sealed content is bound to.
func CardCell(card id.ID) vault.Cell {
	return vault.Cell{Table: "cards", Column: "content_sealed", Row: card}
}

// SharedCell is the place that a shared text's sealed content is bound to.
func SharedCell(content id.ID) vault.Cell {
	return vault.Cell{Table: "shared_contents", Column: "content_sealed", Row: content}
}

// CardIndexPurpose names the blind index by which a duplicate card is found.
const CardIndexPurpose = "cards.content"
