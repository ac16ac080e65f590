ALTER TABLE `notification_targets` ADD `address_named_by` text;--> statement-breakpoint
ALTER TABLE `notification_targets` ADD `address_confirmed_at` integer;--> statement-breakpoint
ALTER TABLE `notification_targets` ADD `pending_address` text;