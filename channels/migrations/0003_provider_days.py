from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels', '0002_costs'),
    ]

    operations = [
        migrations.CreateModel(
            name='ProviderDay',
            fields=[
                ('pk', models.CompositePrimaryKey('name', 'day', blank=True, editable=False, primary_key=True, serialize=False)),
                ('name', models.TextField()),
                ('day', models.DateField()),
                ('used', models.BigIntegerField()),
                ('granted', models.BigIntegerField()),
            ],
            options={
                'db_table': 'provider_day',
            },
        ),
        # Every page writes the row of its day again: room to do so without touching the index.
        migrations.RunSQL("ALTER TABLE provider_day SET (fillfactor = 50)", migrations.RunSQL.noop),
    ]
