package app

import (
	"errors"
	"log/slog"

	"panshi/internal/adminsock"
	"panshi/internal/db/postgres"
	"panshi/internal/db/replica"
)

// follow puts the read replicas of cfg before the database.
func (d *database) follow(cfg Config, log *slog.Logger) error {
	var followers []replica.Replica
	primary := d.close
	var closers []func() error
	closeAll := func() error {
		var failures []error
		for _, c := range closers {
			failures = append(failures, c())
		}
		return errors.Join(failures...)
	}
	for _, url := range cfg.DB.ReplicaURLs {
		standby, err := postgres.OpenStandby(postgres.Config{URL: string(url), Logger: log, MaxConns: cfg.DB.MaxConns})
		if err != nil {
			return errors.Join(err, closeAll())
		}
		closers = append(closers, standby.Close)
		followers = append(followers, replica.Replica{Name: postgres.Address(string(url)), DB: standby})
	}
	decorated := replica.New(d.Database, followers, replica.Config{MaxLag: cfg.DB.ReplicaMaxLag, Logger: log})
	d.Database, d.replicas = decorated, decorated.States
	d.close = func() error {
		decorated.Close()
		return errors.Join(closeAll(), primary())
	}
	d.gauges = append(d.gauges, replicaGauges(decorated)...)
	return nil
}

// replicaGauges are three numbers a replica, labelled by its address.
func replicaGauges(d *replica.DB) []gauge {
	var out []gauge
	for i, s := range d.States() {
		add := func(name, help string, read func(replica.State) float64) {
			out = append(out, gauge{
				name: name, help: help, labels: map[string]string{"replica": s.Name},
				read: func() float64 { return read(d.States()[i]) },
			})
		}
		add("panshi_db_replica_lag_seconds", "At most so far a read replica is behind.",
			func(s replica.State) float64 { return s.Lag.Seconds() })
		add("panshi_db_replica_reads_total", "Reads that a replica answered.",
			func(s replica.State) float64 { return float64(s.Served) })
		add("panshi_db_replica_failures_total", "Reads that the primary answered in a replica's place.",
			func(s replica.State) float64 { return float64(s.Failed) })
	}
	return out
}

// toldReplicas is what the status says of the read replicas.
func (d *database) toldReplicas() []adminsock.Replica {
	if d.replicas == nil {
		return nil
	}
	var out []adminsock.Replica
	for _, s := range d.replicas() {
		out = append(out, adminsock.Replica{Address: s.Name, Lag: s.Lag, InUse: s.InUse})
	}
	return out
}
