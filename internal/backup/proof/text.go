package proof

import "panshi/internal/i18n"

// Text tells an item's evidence in words.
func (i Item) Text(texts *i18n.Catalogue, lang i18n.Lang) string {
	text := texts.Text(lang, "backup.evidence."+i.Code, i.Args)
	if i.State == Stale {
		return texts.Text(lang, "backup.evidence.stale", map[string]string{"evidence": text})
	}
	return text
}

// Title is the item's name for people.
func (i Item) Title(texts *i18n.Catalogue, lang i18n.Lang) string {
	return texts.Text(lang, "backup.item."+i.Name, nil)
}

// Remedy says what makes the item green; "" if it is.
func (i Item) Remedy(texts *i18n.Catalogue, lang i18n.Lang) string {
	if i.State == Green {
		return ""
	}
	return texts.Text(lang, "backup.remedy."+i.Name, nil)
}
