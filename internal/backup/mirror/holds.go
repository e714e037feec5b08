package mirror

// Holds tells whether a destination has an object, and whether a manifest there
// lists it: only then a restore counts on it.
func (m *Mirror) Holds(label, name string) (there, listed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.copiers {
		if c.Label == label {
			return c.state.has(name), c.state.has(name) && !c.state.added[name]
		}
	}
	return false, false
}
