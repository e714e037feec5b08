package perm

// Permission is what a caller must hold to use a route.
type Permission string

// Permissions of buyers and of the platforms' callbacks. They are not granted
// to anybody: the first needs nothing, the others prove themselves with the
// request.
const (
	Anyone    Permission = "anyone"     // no proof needed
	OrderHeld Permission = "order_held" // the order's access token
	Signed    Permission = "signed"     // a payment platform's signature
)

// Permissions of staff.
const (
	ProductsRead  Permission = "products.read"
	ProductsWrite Permission = "products.write"
	CardsImport   Permission = "cards.import"
	OrdersRead    Permission = "orders.read"
	OrdersDeliver Permission = "orders.deliver"
	OrdersRefund  Permission = "orders.refund"
	HoldsResolve  Permission = "holds.resolve"
	PaymentsRead  Permission = "payments.read"  // accounts at payment platforms, without their secrets
	PaymentsWrite Permission = "payments.write" // switch them and set their limits
	ContactReveal Permission = "contact.reveal"
	SessionSelf   Permission = "session.self"
	AuditRead     Permission = "audit.read"

	ReconcileRead    Permission = "reconcile.read"
	ReconcileResolve Permission = "reconcile.resolve" // note what books nothing
	ReconcileAdjust  Permission = "reconcile.adjust"  // make the books follow a bill

	// OrdersSettle asks platforms about lost payments and confirms transfers.
	OrdersSettle Permission = "orders.settle"
	// LimitsWrite asks for another limit above which refunds need an approval.
	LimitsWrite Permission = "limits.write"
	// CreditsRead sees store credit, contacts masked; CreditsWrite grants it,
	// freezes accounts and issues their codes.
	CreditsRead  Permission = "credits.read"
	CreditsWrite Permission = "credits.write"
	// ApprovalsRead sees requests; ApprovalsDecide allows what others asked.
	ApprovalsRead   Permission = "approvals.read"
	ApprovalsDecide Permission = "approvals.decide"

	// StaffRead sees who works here; StaffWrite asks to let people in and shuts
	// them out.
	StaffRead  Permission = "staff.read"
	StaffWrite Permission = "staff.write"

	AlertsRead        Permission = "alerts.read"
	AlertsAcknowledge Permission = "alerts.acknowledge"

	BackupRead Permission = "backup.read" // how well the installation is kept; no content
)

// Priority is what is shed last.
type Priority uint8

// Priorities, the first is shed last.
const (
	Critical Priority = iota + 1 // money and delivery
	Normal                       // looking and choosing
	Optional                     // reports, suggestions
)
