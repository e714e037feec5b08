package order_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/order"
)

func TestContactsNormalise(t *testing.T) {
	for _, c := range []struct{ email, phone, want string }{
		{"Buyer@Example.COM", "", "buyer@example.com"},
		{" a.b+c@mail.example.com ", "", "a.b+c@mail.example.com"},
		{"", "13800000000", "13800000000"},
		{"", "+86 138-0000-0000", "13800000000"},
		{"", "+1 (555) 010-9999", "+15550109999"},
	} {
		got, err := order.ParseContact(c.email, c.phone)
		require.NoError(t, err, c)
		require.Equal(t, c.want, got.Value)
	}
}

func TestContactsRefused(t *testing.T) {
	for _, c := range []struct{ email, phone, field, code string }{
		{"", "", "contact", "required"},
		{"a@example.com", "13800000000", "contact", "contact_ambiguous"},
		{"nobody", "", "contact.email", "invalid_email"},
		{"a@host", "", "contact.email", "invalid_email"},
		{"Name <a@example.com>", "", "contact.email", "invalid_email"},
		{"a@example.com\r\nBcc: b@example.com", "", "contact.email", "invalid_email"},
		{"a@[127.0.0.1]", "", "contact.email", "invalid_email"},
		{"a@-.c", "", "contact.email", "invalid_email"},
		{"a@1.2", "", "contact.email", "invalid_email"},
		{"caf\u00e9@example.com", "", "contact.email", "invalid_email"},
		{"a\u202eb@example.com", "", "contact.email", "invalid_email"},
		{"a@ex\uff41mple.com", "", "contact.email", "invalid_email"},
		{"", "+86+13800000000", "contact.phone", "invalid_phone"},
		{"", "+0000000", "contact.phone", "invalid_phone"},
		{"", "+", "contact.phone", "invalid_phone"},
		{"", "123", "contact.phone", "invalid_phone"},
		{"", "1380000000a", "contact.phone", "invalid_phone"},
		{"", "12800000000", "contact.phone", "invalid_phone"},
	} {
		_, err := order.ParseContact(c.email, c.phone)
		var e *errs.Error
		require.ErrorAs(t, err, &e, c)
		require.Equal(t, c.field, e.Field)
		require.Equal(t, c.code, e.Code)
	}
}

func TestContactHidesItself(t *testing.T) {
	c, err := order.ParseContact("secret@example.com", "")
	require.NoError(t, err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(format, c), "secret")
	}
}

func FuzzParseContact(f *testing.F) {
	f.Add("a@example.com", "")
	f.Add("", "+86 138 0000 0000")
	f.Fuzz(func(t *testing.T, email, phone string) {
		c, err := order.ParseContact(email, phone)
		if err != nil {
			return
		}
		var again order.Contact
		if c.Kind == order.Email {
			again, err = order.ParseContact(c.Value, "")
		} else {
			again, err = order.ParseContact("", c.Value)
		}
		require.NoError(t, err, "a normalised contact is a contact")
		require.Equal(t, c, again)
	})
}

func TestStateMachineHasNoWayBack(t *testing.T) {
	all := []order.Status{order.Pending, order.Paid, order.Delivered, order.Completed, order.Closed, order.Refunding, order.Refunded, order.Held}
	for _, from := range all {
		require.False(t, order.CanMove(from, order.Pending), "%s must not become unpaid again", from)
		require.False(t, order.CanMove(from, from))
		require.False(t, order.CanMove(order.Refunded, from), "refunded is the end")
	}
	require.False(t, order.CanMove(order.Pending, order.Completed))
	require.True(t, order.CanMove(order.Closed, order.Delivered), "late money is served")
}
