//! The check of the audit log.

use std::sync::Arc;

use api_http::CheckLog;
use audit::AuditReport;
use ledger::LedgerError;
