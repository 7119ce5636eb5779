"""Tables of recipients."""

import django.db.models.deletion
import django.db.models.fields.json
import django.db.models.functions.comparison
from django.db import migrations, models


#: Room in each page for a row's next version, so that updates need not touch the indexes.
ROOM = """
ALTER TABLE preferences_recipient SET (fillfactor = 90);
ALTER TABLE preferences_preference SET (fillfactor = 85);
ALTER TABLE preferences_device SET (fillfactor = 85);
ALTER TABLE preferences_contact_point SET (fillfactor = 90);
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='ContactPoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField(choices=[('email', 'email'), ('phone', 'phone')])),
                ('sealed', models.BinaryField()),
                ('index', models.BinaryField(db_index=True)),
                ('hint', models.TextField()),
                ('status', models.TextField(choices=[('active', 'active'), ('bounced', 'bounced'), ('complained', 'complained'), ('unsubscribed', 'unsubscribed'), ('invalid', 'invalid')], default='active')),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'db_table': 'preferences_contact_point',
            },
        ),
        migrations.CreateModel(
            name='Device',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('device_id', models.TextField()),
                ('platform', models.TextField(choices=[('ios', 'ios'), ('android', 'android'), ('web', 'web')])),
                ('sealed', models.BinaryField()),
                ('index', models.BinaryField()),
                ('hint', models.TextField()),
                ('app_version', models.TextField(blank=True, default='')),
                ('active', models.BooleanField(default=True)),
                ('inactive_reason', models.TextField(blank=True, choices=[('provider_rejected_token', 'provider rejected token'), ('moved', 'moved'), ('removed', 'removed'), ('stale', 'stale')], default='')),
                ('registered_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'preferences_device',
            },
        ),
        migrations.CreateModel(
            name='Recipient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_id', models.TextField(db_collation='C')),
                ('status', models.TextField(choices=[('active', 'active'), ('deleted', 'deleted'), ('erased', 'erased')], default='active')),
                ('locale', models.TextField(blank=True, default='')),
                ('timezone', models.TextField(blank=True, default='')),
                ('country_code', models.TextField(blank=True, default='')),
                ('attributes', models.JSONField(blank=True, default=dict)),
                ('data_key', models.BinaryField(null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'db_table': 'preferences_recipient',
                'permissions': [('reveal_contact', "Can see a recipient's address in clear")],
            },
        ),
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('pk', models.CompositePrimaryKey('index', 'channel', blank=True, editable=False, primary_key=True, serialize=False)),
                ('index', models.BinaryField()),
                ('channel', models.TextField(choices=[('push', 'push'), ('email', 'email'), ('sms', 'sms'), ('in_app', 'in app')])),
                ('reason', models.TextField(choices=[('hard_bounce', 'hard bounce'), ('complaint', 'complaint'), ('unsubscribe', 'unsubscribe'), ('invalid', 'invalid'), ('manual', 'manual')])),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'db_table': 'preferences_suppression',
            },
        ),
        migrations.CreateModel(
            name='Preference',
            fields=[
                ('recipient', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='preference', serialize=False, to='preferences.recipient')),
                ('document', models.JSONField(default=dict)),
                ('version', models.IntegerField()),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'db_table': 'preferences_preference',
            },
        ),
        migrations.AddConstraint(
            model_name='recipient',
            constraint=models.UniqueConstraint(fields=('user_id',), name='recipient_user_id'),
        ),
        migrations.AddConstraint(
            model_name='recipient',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['active', 'deleted', 'erased'])), name='recipient_status_known'),
        ),
        migrations.AddConstraint(
            model_name='recipient',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('data_key__isnull', True), ('status', 'erased')), models.Q(models.Q(('status', 'erased'), _negated=True), ('data_key__isnull', False)), _connector='OR'), name='recipient_key_until_erased'),
        ),
        migrations.AddField(
            model_name='device',
            name='recipient',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='devices', to='preferences.recipient'),
        ),
        migrations.AddField(
            model_name='contactpoint',
            name='recipient',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='contact_points', to='preferences.recipient'),
        ),
        migrations.AddConstraint(
            model_name='suppression',
            constraint=models.CheckConstraint(condition=models.Q(('channel__in', ['push', 'email', 'sms', 'in_app'])), name='suppression_channel_known'),
        ),
        migrations.AddConstraint(
            model_name='suppression',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['hard_bounce', 'complaint', 'unsubscribe', 'invalid', 'manual'])), name='suppression_reason_known'),
        ),
        migrations.AddConstraint(
            model_name='preference',
            constraint=models.CheckConstraint(condition=models.Q(('version', django.db.models.functions.comparison.Cast(django.db.models.fields.json.KeyTextTransform('version', 'document'), models.IntegerField())), ('version__gte', 1)), name='preference_version_counts'),
        ),
        migrations.AddConstraint(
            model_name='device',
            constraint=models.UniqueConstraint(fields=('recipient', 'device_id'), name='device_id_per_recipient'),
        ),
        migrations.AddConstraint(
            model_name='device',
            constraint=models.UniqueConstraint(condition=models.Q(('active', True)), fields=('platform', 'index'), name='device_token_active_once'),
        ),
        migrations.AddConstraint(
            model_name='device',
            constraint=models.CheckConstraint(condition=models.Q(('platform__in', ['ios', 'android', 'web'])), name='device_platform_known'),
        ),
        migrations.AddConstraint(
            model_name='device',
            constraint=models.CheckConstraint(condition=models.Q(('active', models.Q(('inactive_reason', '')))), name='device_inactive_why'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.UniqueConstraint(fields=('recipient', 'kind'), name='contact_point_one_of_a_kind'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['email', 'phone'])), name='contact_point_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['active', 'bounced', 'complained', 'unsubscribed', 'invalid'])), name='contact_point_status_known'),
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
    ]
