package access

import (
	"slices"

	"panshi/internal/id"
	"panshi/internal/perm"
)

// Role is what a member of staff is to the shop.
type Role string

// The roles.
const (
	Owner     Role = "owner"     // everything of one merchant
	Operator  Role = "operator"  // goods and deliveries; sees no contact
	Support   Role = "support"   // answers buyers
	Engineer  Role = "engineer"  // keeps the machine running; sees no orders
	Auditor   Role = "auditor"   // looks at everything that was done, changes nothing
	Custodian Role = "custodian" // holds shares of keys; nothing of the business
)

// Roles lists all of them.
func Roles() []Role {
	return []Role{Owner, Operator, Support, Engineer, Auditor, Custodian}
}

// Permissions is what a role grants, nil for an unknown one.
func (r Role) Permissions() []perm.Permission {
	switch r {
	case Owner:
		return []perm.Permission{
			perm.SessionSelf, perm.ProductsRead, perm.ProductsWrite, perm.CardsImport, perm.OrdersRead,
			perm.OrdersDeliver, perm.OrdersRefund, perm.HoldsResolve, perm.ContactReveal, perm.AuditRead,
			perm.PaymentsRead, perm.PaymentsWrite,
			perm.ReconcileRead, perm.ReconcileResolve, perm.ReconcileAdjust,
			perm.OrdersSettle, perm.LimitsWrite, perm.ApprovalsRead, perm.ApprovalsDecide,
			perm.AlertsRead, perm.AlertsAcknowledge,
			perm.CreditsRead, perm.CreditsWrite, perm.BackupRead,
			perm.StaffRead, perm.StaffWrite,
		}
	case Operator:
		return []perm.Permission{
			perm.SessionSelf, perm.ProductsRead, perm.ProductsWrite, perm.CardsImport, perm.OrdersRead, perm.OrdersDeliver,
			perm.PaymentsRead,
			perm.OrdersSettle, perm.ApprovalsRead, perm.ApprovalsDecide,
			perm.AlertsRead, perm.AlertsAcknowledge,
		}
	case Support:
		return []perm.Permission{perm.SessionSelf, perm.ProductsRead, perm.OrdersRead, perm.ContactReveal, perm.CreditsRead}
	case Engineer:
		return []perm.Permission{perm.SessionSelf, perm.ProductsRead, perm.PaymentsRead, perm.AlertsRead, perm.AlertsAcknowledge, perm.BackupRead}
	case Auditor:
		return []perm.Permission{
			perm.SessionSelf, perm.ProductsRead, perm.OrdersRead, perm.AuditRead, perm.ReconcileRead, perm.ApprovalsRead,
			perm.AlertsRead, perm.CreditsRead,
			perm.StaffRead,
		}
	case Custodian:
		return []perm.Permission{perm.SessionSelf}
	}
	return nil
}

// Principal is a member of staff with a valid session.
type Principal struct {
	StaffID     id.ID
	MerchantID  id.ID
	SessionID   id.ID // names the session and opens nothing
	Login       string
	Role        Role
	Permissions []perm.Permission
}

// Has tells whether the principal holds a permission.
func (p Principal) Has(want perm.Permission) bool { return slices.Contains(p.Permissions, want) }
