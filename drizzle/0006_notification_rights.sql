ALTER TABLE `notification_targets` ADD `address_named_by` text;--> statement-breakpoint
ALTER TABLE `notification_targets` ADD `address_confirmed_at` integer;--> statement-breakpoint
ALTER TABLE `notification_targets` ADD `pending_address` text;--> statement-breakpoint
-- What admins have named for themselves so far, they have named as admins.
UPDATE `notification_targets` SET `address_named_by` = `user_id` WHERE `address` IS NOT NULL AND `user_id` IN (SELECT `id` FROM `users` WHERE `role` = 'admin');
